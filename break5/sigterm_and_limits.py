from d import *
import threading, resource, errno
# SIGTERM in an accept storm with pipelines
for rnd in range(5):
    x=D('--max-clients','50'); stop=[0]; stats={'ok':0,'refused':0,'reset':0,'max':0,'short':0}
    def storm():
        while not stop[0]:
            try:
                k=x.c(); k.settimeout(10); k.sendall(b'INCR a\r\n'*200); k.shutdown(socket.SHUT_WR)
                b=b''
                while True:
                    r=k.recv(65536)
                    if not r: break
                    b+=r
                if b.startswith(b'-ERR max'): stats['max']+=1
                elif b.count(b'\r\n')==200: stats['ok']+=1
                else: stats['short']+=1
                k.close()
            except ConnectionRefusedError: stats['refused']+=1; time.sleep(.01)
            except ConnectionResetError: stats['reset']+=1
            except socket.timeout: stats['timeout']=stats.get('timeout',0)+1
    ths=[threading.Thread(target=storm) for _ in range(12)]
    for t in ths: t.start()
    time.sleep(.7); t0=time.time(); r=x.term(); took=time.time()-t0; stop[0]=1
    for t in ths: t.join()
    print(r,round(took,2),stats)
# too few files
x=D('--max-clients','1000',preexec_fn=lambda:resource.setrlimit(resource.RLIMIT_NOFILE,(20,20)))
ks=[x.c() for _ in range(40)]
for k in ks: k.sendall(b'PING\r\n')
time.sleep(1); c=x.cpu(); time.sleep(1); print('cpu while out of files',x.cpu()-c)
n=0
for k in ks:
    k.settimeout(.01)
    try: n+=k.recv(10)==b'+PONG\r\n'
    except Exception: pass
print('served',n)
d0=time.time(); print(x.term(), time.time()-d0)
# BGSAVE with no file to be had
d=tempfile.mkdtemp()
x=D('--dir',d,preexec_fn=lambda:resource.setrlimit(resource.RLIMIT_NOFILE,(12,12)))
ks=[x.c() for _ in range(20)]
ks[0].sendall(b'BGSAVE\r\nSET a b\r\n'); time.sleep(.5); print(ks[0].recv(100)); ks[0].sendall(b'INFO\r\n'); time.sleep(.2); print(ks[0].recv(1000)[-120:])
print(x.term())
# disk full
m=tempfile.mkdtemp()
if subprocess.run(['mount','-t','tmpfs','-o','size=1m','none',m]).returncode==0:
    x=D('--dir',m); print(x.cmd('SET','a','1'),x.cmd('BGSAVE')); time.sleep(.5)
    for i in range(3): x.cmd('SET','k%d'%i,b'v'*900000)
    print(x.cmd('BGSAVE')); time.sleep(.5); print(x.cmd('INFO')[-90:],os.listdir(m)); print(x.term(),os.listdir(m))
    y=D('--dir',m); print(y.cmd('GET','a'),y.cmd('DBSIZE')); y.p.kill(); y.p.wait(); subprocess.run(['umount',m])
# stderr that nobody reads
x=D(); t=time.time()
def blocked():
    try: return x.cmd('PING',t=3)
    except Exception as e: return e
for i in range(600): x.p.send_signal(signal.SIGHUP); time.sleep(0.001)
print('stderr full:',blocked()); x.p.kill()
