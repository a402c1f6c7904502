from d import *
import resource
resource.setrlimit(resource.RLIMIT_NOFILE,(5000,5000))
x=D(); 
N=1000
ks=[]
body=b'*3\r\n$3\r\nSET\r\n$1048576\r\n'+b'k'*(1<<20)+b'\r\n$1048576\r\n'+b'v'*((1<<20)-100)
print(len(body)/2**20)
for i in range(N):
    k=x.c(); k.settimeout(60); k.sendall(body); ks.append(k)
print('incomplete',N,x.st(), 'MiB; promised 2 each, 4 while growing'); 
# and the last read may bring 64 KiB more than the limit?
for k in ks: k.close()
time.sleep(1); print('after',x.st()); x.p.kill()
x=D()
k=x.c(); k.settimeout(60)
for i in range(16):
    k.sendall(enc('SET','%d'%i,b'v'*((1<<20)-(32 if i==0 else 0)))); k.recv(100)
n=200; ks=[]
for i in range(n):
    k=x.c(); k.setsockopt(socket.SOL_SOCKET,socket.SO_RCVBUF,4096); 
    k.sendall(enc(*(['MGET']+[str(j) for j in range(15)]))+enc('PING')*100); ks.append(k)
time.sleep(2); x.cmd('PING'); print('unread',n,x.st(),'promised',17*n,'to',34*n); 
t=open(f'/proc/{x.p.pid}/status').read(); print(re.findall(r'Vm(?:Size|RSS|Data).*',t))
x.p.kill()
