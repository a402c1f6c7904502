from d import *
# keys with an end count once but are there twice
x=D(); k=x.c(); k.settimeout(100)
key=b'k'*((1<<20)-16)
for i in range(1020):
    k.sendall(enc('SET',key+b'%06d'%i,'','EX','1000')); r=k.recv(100)
    if not r.startswith(b'+OK'): print(i,r); break
print(re.search(rb'used_memory_data:\d+',x.cmd('INFO')), x.st(), 'MiB')
t=time.time(); print(x.cmd('FLUSHALL'),time.time()-t,x.st())
x.p.kill()
# load peak
d=tempfile.mkdtemp(dir='/tmp/h/break5')
x=D('--dir',d); k=x.c(); k.settimeout(100)
v=b'v'*(1<<20)
for i in range(1000):
    k.sendall(enc('SET','%d'%i,v)); k.recv(100)
print('full',x.st()); print(x.cmd('BGSAVE'))
# during the snapshot everything is replaced
v=b'w'*(1<<20)
for i in range(1000):
    k.sendall(enc('SET','%d'%i,v)); k.recv(100)
print('replaced in a snapshot',x.st())
print(x.term(100))
x=D('--dir',d); print('loaded',x.st()); x.p.kill()
subprocess.run(['rm','-r',d])
