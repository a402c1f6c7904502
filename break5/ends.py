from d import *
# a stuck disk: SIGTERM, and again
d=tempfile.mkdtemp(); x=D('--dir',d); os.mkfifo(d+'/dump.tevent.new'); x.cmd('SET','a','1'); print(x.cmd('BGSAVE')); time.sleep(.2)
x.p.send_signal(signal.SIGTERM); time.sleep(.3); x.p.send_signal(signal.SIGTERM); x.p.send_signal(signal.SIGINT); time.sleep(2); print('ended after 2s of a stuck snapshot:',x.p.poll()); x.p.kill()
# socket path gone while it ran
d=tempfile.mkdtemp(); s=d+'/s'; x=D('--unix',s,port=False); os.unlink(s); x.p.send_signal(signal.SIGTERM); print(x.p.wait(),x.p.stderr.read())
# idle timeout extremes
for t in ('4294967295','1'):
    x=D('--idle-timeout',t); k=x.c(); k.settimeout(5); k.sendall(b'PING\r\n'); print(t,k.recv(10))
    if t=='1':
        t0=time.time(); print(k.recv(10),time.time()-t0)
    x.p.kill()
# a reply read slowly by one that keeps on reading: 16 MiB, 60 s, killed though it reads
x=D('--max-clients','0'); k=x.c(); print(k.recv(100)); print(x.term())
