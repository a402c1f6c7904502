from d import *
import threading
x=D(); k=x.c(); k.settimeout(100)
t=time.time(); N=5400000
stop=[0]
def rd(n):
    got=0
    while got<n: 
        b=k.recv(1<<20); got+=b.count(b'\r\n')
        if b'OOM' in b: stop[0]=1
for b in range(0,N,50000):
    th=threading.Thread(target=rd,args=(50000,)); th.start()
    k.sendall(b''.join(b'SET k%d v EX 1000\r\n'%i for i in range(b,b+50000))); th.join()
    if stop[0]: break
print('made',b,time.time()-t,x.st(),re.search(rb'used_memory_data:\d+',x.cmd('INFO')))
t=time.time(); print(x.cmd('KEYS','*')[:50],'KEYS *',time.time()-t, x.st())
t=time.time(); print(x.cmd('FLUSHALL'),'FLUSHALL',time.time()-t, x.st())
x.p.kill()
