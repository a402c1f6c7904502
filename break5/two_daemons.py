from d import *
# an overlapping restart
d=tempfile.mkdtemp(dir='/tmp/h/break5'); sock=d+'/s'
x=D('--dir',d,'--unix',sock,port=False); print(x.first)
def cmd(*a,t=30):
    k=socket.socket(socket.AF_UNIX); k.settimeout(t); k.connect(sock); k.sendall(enc(*a)); r=k.recv(1<<16); k.close(); return r
k=socket.socket(socket.AF_UNIX); k.connect(sock)
v=b'v'*(1<<20)
for i in range(600):
    k.sendall(enc('SET','%d'%i,v)); k.recv(100)
k.close()
x.p.send_signal(signal.SIGTERM)
time.sleep(0.15)
y=D('--dir',d,'--unix',sock,port=False); print('second says',y.first)
print('first ends',x.p.wait(),x.p.stderr.read())
print('socket there',os.path.exists(sock), os.listdir(d))
try: print(cmd('DBSIZE'))
except Exception as e: print('second: cannot be reached',e, 'lives:',y.p.poll() is None)
print(y.term())
subprocess.run(['rm','-r',d])
# a second start on the same port by mistake spoils a BGSAVE that runs
d=tempfile.mkdtemp(dir='/tmp/h/break5')
x=D('--dir',d); k=x.c()
for i in range(600):
    k.sendall(enc('SET','%d'%i,v)); k.recv(100)
print(x.cmd('BGSAVE'))
y=subprocess.run([BIN,'--port',str(x.port),'--dir',d],capture_output=True); print('second',y)
for _ in range(100):
    time.sleep(0.1)
    i=x.cmd('INFO')
    if b'snapshots_saved:1' in i or b'last_error:\r\n' not in i: break
print(i[-80:],os.listdir(d)); x.p.kill()
print(x.p.stderr.read())
subprocess.run(['rm','-r',d])
