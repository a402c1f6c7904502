from d import *
# T: TTL that does not load again
for cmds in ([('SET','k','v'),('EXPIRE','k','4611686018427387')],[('SET','k','v','PX',str((1<<62)-1))],[('SET','k','v','EX','4611686018427387')]):
    d=tempfile.mkdtemp(); x=D('--dir',d)
    for c in cmds: print(c,x.cmd(*c),x.cmd('TTL','k'))
    print(x.term()); print(open(d+'/dump.tevent','rb').read())
    y=D('--dir',d); 
    if y.first: print(y.cmd('TTL','k'),y.term())
