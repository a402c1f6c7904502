//! The macro that the other tests stand on.

mod support;
use support::on_every_backend;

on_every_backend! {
    fn every_backend_runs_a_turn(backend) {
        let ctx = backend.context();
        let im = ctx.keep(tevent::Immediate::new(|_ev, im| im.set_tag(7)));
        im.schedule(&ctx);
        support::turns(&ctx, 1);
        assert_eq!(im.tag(), 7);
    }
}
