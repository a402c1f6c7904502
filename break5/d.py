import socket,subprocess,time,os,sys,re,tempfile,signal
BIN='/tmp/h/break5/target/release/examples/daemon'
def enc(*a):
    o=b'*%d\r\n'%len(a)
    for x in a:
        if isinstance(x,str): x=x.encode()
        o+=b'$%d\r\n'%len(x)+x+b'\r\n'
    return o
class D:
    def __init__(s,*args,port=True,**kw):
        a=[BIN]+(['--port','0'] if port else [])+list(args)
        s.p=subprocess.Popen(a,stdout=subprocess.PIPE,stderr=subprocess.PIPE,**kw)
        l=s.p.stdout.readline().decode()
        m=re.search(r':(\d+)$',l.strip()); s.port=int(m.group(1)) if m else None; s.first=l
        if not l: print('NOT STARTED',s.p.wait(),s.p.stderr.read())
    def c(s):
        k=socket.create_connection(('127.0.0.1',s.port)); return k
    def cmd(s,*a,t=60):
        k=s.c(); k.settimeout(t); k.sendall(enc(*a)); r=k.recv(1<<16); k.close(); return r
    def st(s):
        t=open(f'/proc/{s.p.pid}/status').read()
        return {k:int(re.search(k+r':\s+(\d+)',t).group(1))//1024 for k in('VmRSS','VmHWM')}
    def cpu(s):
        f=open(f'/proc/{s.p.pid}/stat').read().split(); return (int(f[13])+int(f[14]))/100
    def term(s,t=30):
        s.p.send_signal(signal.SIGTERM)
        try: rc=s.p.wait(t)
        except subprocess.TimeoutExpired: rc='HANG'; s.p.kill()
        return rc,s.p.stderr.read()
