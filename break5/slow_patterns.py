from d import *
import time
# CONFIG GET memory
x=D(); k=x.c(); k.settimeout(120)
print('before',x.st())
globs=[('*'+('a?'*240)+str(i)) for i in range(4094)]
t=time.time(); k.sendall(enc('CONFIG','GET',*globs)); print(k.recv(100), time.time()-t, x.st())
globs=[('*'+('[^ab]*'*80)+str(i)) for i in range(4094)]
t=time.time(); k.sendall(enc('CONFIG','GET',*globs)); print(k.recv(100), time.time()-t, x.st())
print(x.term())
# KEYS blocking
x=D(); k=x.c(); k.settimeout(100)
k.sendall(enc('SET','a'*(1<<20),'v')); print(k.recv(100))
for n in (1000,4000,16000,):
    t=time.time(); k.sendall(enc('KEYS','*a?'*n+'b')); 
    try: r=k.recv(100)
    except Exception as e: r=e
    print(n,r[:60] if isinstance(r,bytes) else r,time.time()-t,x.st())
x.p.kill()
