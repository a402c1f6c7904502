//! The face crate shows everything that the parts offer.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

/// The names that a crate's root exports by `pub use`.
fn exports(lib: &str) -> Vec<String> {
    let statements = lib.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    statements
        .flat_map(|statement| {
            let (_module, names) = statement.rsplit_once("::").unwrap_or(("", statement));
            let list = statement.split_once('{').map_or(names, |(_, list)| list);
            let names = list.trim_end_matches('}').split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_queue_types_stand_at_the_root_too() {
    let face = exports(include_str!("../src/lib.rs"));
    let queue = exports(include_str!("../tevent-queue/src/lib.rs"));
    for name in queue.iter().filter(|name| name.starts_with("Queue") && *name != "QueueWait") {
        assert!(face.contains(name), "tevent::{name} is missing");
    }
    assert!(face.contains(&"*".to_owned()), "all of tevent-core");
}

#[test]
fn each_part_is_reached_through_the_face() {
    let ctx: tevent::Context = tevent::Context::new().unwrap();
    let queue: tevent::Queue = tevent::queue::Queue::create("face");
    let waiting: tevent::Req<tevent::queue::QueueWait> = tevent::queue::wait_send(&ctx, &queue);
    waiting.poll(&ctx).unwrap();
    let _: fn(tevent::Req<tevent::io::Accept>) -> _ = tevent::io::accept_recv;
}
