from d import *
# the same over TCP, real process; and names
x=D(); x.cmd('SET','b',b'x'*1000)
b0=x.st(); cs=[]
for c in range(10):
    k=socket.socket(); k.setsockopt(socket.SOL_SOCKET,socket.SO_RCVBUF,4096); k.connect(('127.0.0.1',x.port)); k.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1)
    k.setblocking(False); cs.append(k)
for k in cs: 
    for i in range(60): 
        try: k.send(b'GET b\r\n'*100)
        except BlockingIOError: break
        time.sleep(0.003)
print('gets',x.st())
t=time.time(); sent=0
while time.time()-t<45:
    for k in cs:
        try: sent+=k.send(b'PING\r\n')
        except BlockingIOError: pass
        except OSError: pass
    time.sleep(0.00002)
print('pings',sent//6,x.st(),'was',b0,re.search(rb'connected_clients:\d+',x.cmd('INFO')))
x.p.kill()
x=D(); cs=[]
for c in range(500):
    k=x.c(); k.settimeout(10); k.sendall(enc('CLIENT','SETNAME',b'n'*(1<<20))); k.recv(10); cs.append(k)
print('500 names',x.st()); x.p.kill()
