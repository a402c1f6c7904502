from d import *
import threading
# slow drip of a request with many arguments
x=D(); k=x.c()
k.sendall(b'*4096\r\n'+b'$0\r\n\r\n'*4095)
time.sleep(.2); c=x.cpu(); 
n=2000; k.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1)
k.sendall(b'$1048576\r\n')
for i in range(n): k.send(b'x'); x.cmd('PING') if i%100==0 else time.sleep(0.0002)
print('drip: cpu s for',n,'bytes',x.cpu()-c)
# inline line
k=x.c(); k.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1); k.sendall(b'x'*63000); time.sleep(.2); c=x.cpu()
for i in range(n): k.send(b'x'); time.sleep(0.0002)
print('inline drip: cpu',x.cpu()-c)
# a huge pipeline of tiny requests while others ping
k=x.c(); k.settimeout(60)
def reader():
    try:
        while k.recv(1<<20): pass
    except Exception: pass
threading.Thread(target=reader,daemon=True).start()
blob=b'PING\r\n'*200000
worst=0
th=threading.Thread(target=lambda:k.sendall(blob)); th.start()
for i in range(20):
    t=time.time(); x.cmd('PING'); worst=max(worst,time.time()-t)
th.join(); print('worst ping beside a pipeline',worst)
# empty lines
k2=x.c(); c=x.cpu(); k2.sendall(b'\n'*(4<<20)); time.sleep(1); print('empty lines cpu',x.cpu()-c, x.cmd('PING'))
# *0 and *-1
k2=x.c(); k2.sendall(b'*-1\r\n'*1000+b'PING\r\n'); time.sleep(.2); print(k2.recv(100))
x.p.kill()
# expiry storm, keys, flushall of a million keys
x=D(); k=x.c(); k.settimeout(100)
t=time.time(); N=1000000
def rd(n):
    got=0
    while got<n: 
        b=k.recv(1<<20); got+=b.count(b'+OK')
at=int((time.time()+60)*1000)
for b in range(0,N,10000):
    th=threading.Thread(target=rd,args=(10000,)); th.start()
    k.sendall(b''.join(b'SET k%d v PXAT %d\r\n'%(i,at) for i in range(b,b+10000))); th.join()
print('made',time.time()-t,x.st(),re.search(rb'used_memory_data:\d+',x.cmd('INFO')))
t=time.time(); print(x.cmd('KEYS','k99999*')[:20],'KEYS',time.time()-t)
t=time.time(); print(x.cmd('KEYS','*')[:50],'KEYS *',time.time()-t, x.st())
while time.time()*1000<at-50: time.sleep(0.01)
worst=0; end=time.time()+6
while time.time()<end:
    t=time.time(); r=x.cmd('DBSIZE'); w=time.time()-t
    if w>worst: worst=w; print('DBSIZE',r,'took',w)
print('worst in expiry storm',worst,x.st())
x.p.kill()
