//! Profiles of requests (REQ-14) and how they are shown (REQ-11), on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/random.rs"]
mod random;

use std::process;
use std::time::{Duration, SystemTime};

use random::Random;
use support::{on_every_backend, run_ready};
use tevent::{Location, Profile, Req, ReqError, ReqRef, ReqState, When, wakeup_send};

/// The states of a tree, in the order of a walk: `0:Done 1:InProgress`.
fn shape(profile: &Profile) -> String {
    fn walk(profile: &Profile, depth: usize, into: &mut Vec<String>) {
        into.push(format!("{depth}:{:?}", profile.state()));
        profile.subprofiles().iter().for_each(|sub| walk(sub, depth + 1, into));
    }
    let mut lines = Vec::new();
    walk(profile, 0, &mut lines);
    lines.join(" ")
}

/// A sub-request that its parent ignores when it has finished.
fn child_of<S: 'static>(parent: &ReqRef<S>) -> ReqRef<u8> {
    parent.add_subreq(Req::create(0_u8), |_parent, child| drop(child))
}

/// Of each request: its parent, and how it stands; one that was freed in progress has vanished.
type Nodes = [(ReqRef<u8>, Option<usize>, ReqState)];

fn naive(nodes: &Nodes, node: usize, depth: usize, into: &mut Vec<String>) {
    into.push(format!("{depth}:{:?}", nodes[node].2));
    for child in 0..nodes.len() {
        if nodes[child].1 == Some(node) && nodes[child].2 != ReqState::Received {
            naive(nodes, child, depth + 1, into);
        }
    }
}

on_every_backend! {
    fn req_14_records_name_places_times_and_state(backend) {
        let ctx = backend.context();
        let begun = SystemTime::now();
        let req = Req::create(5_u16);
        assert_eq!(req.profile(), None);
        req.set_profile().unwrap();
        let running = req.profile().unwrap();
        assert_eq!((running.name(), running.state(), running.stop()), ("u16", ReqState::InProgress, None));
        assert_eq!(running.elapsed(), None);
        let finish = req.clone();
        ctx.keep(ctx.add_timer(Duration::from_millis(2), move |_ev, _te, _now| {
            finish.error(77);
        }));
        req.poll(&ctx).unwrap();
        let profile = req.profile().unwrap();
        let ((created, start), (finished, stop)) = (profile.start().unwrap(), profile.stop().unwrap());
        assert_eq!((Some(created), Some(finished)), (Some(req.location()), req.finish_location()));
        assert!(begun <= start && start <= stop && stop <= SystemTime::now());
        assert_eq!((profile.pid(), profile.state(), profile.error()), (process::id(), ReqState::UserError, 77));
        assert_eq!(profile.elapsed(), Some(stop.duration_since(start).unwrap()));
    }

    fn req_14_sub_requests_are_profiled_as_a_tree(backend) {
        let ctx = backend.context();
        let root = Req::create("root");
        root.set_profile().unwrap();
        let (first, second) = (child_of(&root), child_of(&root));
        let grandchild = child_of(&first);
        assert_eq!(shape(&root.profile().unwrap()), "0:InProgress 1:InProgress 2:InProgress 1:InProgress");
        assert_eq!(first.profile().map(|profile| profile.subprofiles().len()), Some(1), "each has its own");
        grandchild.done();
        first.done(); // and with it the parent drops it
        assert!(root.take(&first).is_none());
        second.error(ReqError::TIMED_OUT);
        root.done();
        run_ready(&ctx);
        assert_eq!(shape(&root.profile().unwrap()), "0:Done 1:Done 2:Done 1:TimedOut");
    }

    fn req_14_those_it_had_before_join(backend) {
        let _ctx = backend.context();
        let (root, middle) = (Req::create("root"), Req::create(1_u32));
        let leaf = child_of(&middle);
        let middle = root.add_subreq(middle, |_root, _middle| {});
        root.set_profile().unwrap();
        assert_eq!(shape(&root.profile().unwrap()), "0:InProgress 1:InProgress 2:InProgress");
        let late = Req::create(2_u64);
        let _deep = child_of(&late);
        root.add_subreq(late, |_root, _late| {});
        assert_eq!(root.profile().unwrap().subprofiles().len(), 2);
        assert_eq!(root.profile().unwrap().subprofiles()[1].subprofiles().len(), 1, "a whole tree is adopted");
        drop((middle, leaf));
    }

    fn req_14_a_sub_request_that_was_freed_before_it_finished_vanishes(backend) {
        let _ctx = backend.context();
        let root = Req::create(());
        root.set_profile().unwrap();
        let (kept, freed) = (child_of(&root), child_of(&root));
        drop(root.take(&freed));
        assert_eq!(shape(&root.profile().unwrap()), "0:InProgress 1:InProgress");
        kept.done();
        assert_eq!(shape(&root.profile().unwrap()), "0:InProgress 1:Done");
    }

    fn req_14_moved_out_it_outlives_the_request(backend) {
        let ctx = backend.context();
        let root = Req::create(());
        root.set_profile().unwrap();
        root.add_subreq(wakeup_send(&ctx, When::Zero), |root, _child| {
            root.done();
        });
        root.poll(&ctx).unwrap();
        let profile = root.move_profile().unwrap();
        assert_eq!(root.move_profile(), None);
        assert_eq!(root.profile(), None);
        drop(root);
        drop(ctx);
        assert_eq!(shape(&profile), "0:Done 1:TimedOut");
    }

    fn req_14_moved_out_of_a_parent_it_leaves_the_parents(backend) {
        let _ctx = backend.context();
        let root = Req::create(());
        root.set_profile().unwrap();
        let child = child_of(&root);
        let _deep = child_of(&child);
        assert_eq!(shape(&child.move_profile().unwrap()), "0:InProgress 1:InProgress");
        assert_eq!(shape(&root.profile().unwrap()), "0:InProgress");
    }

    fn req_14_switched_on_twice_is_an_error_and_the_request_goes_on(backend) {
        let _ctx = backend.context();
        let req = Req::create(());
        req.set_profile().unwrap();
        let error = req.set_profile().unwrap_err();
        assert!(error.to_string().contains("has a profile already"), "{error}");
        assert!(error.to_string().contains(&req.location().to_string()), "{error}");
        assert!(req.is_in_progress());
        let child = child_of(&req);
        assert!(child.set_profile().is_err(), "it has one as a part of its parent's");
        let gone = req.clone();
        drop(req);
        assert!(gone.set_profile().unwrap_err().to_string().contains("received or freed"));
    }

    fn req_14_a_long_chain_needs_no_stack(backend) {
        let _ctx = backend.context();
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        let run = small.spawn(|| {
            let root = Req::create(());
            root.set_profile().unwrap();
            let mut last = child_of(&root);
            for _ in 0..20_000 {
                last = child_of(&last);
            }
            let profile = root.move_profile().unwrap();
            assert_eq!(profile.to_string().lines().count(), 20_002);
        });
        run.unwrap().join().unwrap();
    }

    fn req_14_agrees_with_a_naive_tree(backend) {
        let _ctx = backend.context();
        for seed in 1..=100 {
            let random = &mut Random(seed);
            let root = Req::create(0_u8);
            root.set_profile().unwrap();
            // Of each: its parent, and whether it has finished, or was freed. The root is the first.
            let mut nodes: Vec<(ReqRef<u8>, Option<usize>, ReqState)> = vec![(root.clone(), None, ReqState::InProgress)];
            let under = |nodes: &Nodes, mut node: usize, of: usize| loop {
                if node == of { return true }
                match nodes[node].1 { Some(parent) => node = parent, None => return false }
            };
            for _ in 0..60 {
                let picked = random.below(nodes.len());
                let alive = |node: usize| nodes[node].0.state() != ReqState::Received;
                match random.below(5) {
                    0..=2 if alive(picked) => {
                        let parent = nodes[picked].0.clone();
                        // Finished ones stay with their parent.
                        let child = parent.keep(Req::create(0_u8));
                        nodes.push((child, Some(picked), ReqState::InProgress));
                    }
                    3 if alive(picked) && nodes[picked].0.is_in_progress() => {
                        nodes[picked].0.done();
                        nodes[picked].2 = ReqState::Done;
                    }
                    4 if picked > 0 && alive(picked) => {
                        let parent = nodes[nodes[picked].1.unwrap()].0.clone();
                        drop(parent.take(&nodes[picked].0.clone()));
                        for node in 0..nodes.len() {
                            if under(&nodes, node, picked) && nodes[node].2 == ReqState::InProgress {
                                nodes[node].2 = ReqState::Received; // it vanishes
                            }
                        }
                    }
                    _ => {}
                }
            }
            let mut expected = Vec::new();
            naive(&nodes, 0, 0, &mut expected);
            assert_eq!(shape(&root.profile().unwrap()), expected.join(" "), "seed {seed}");
        }
    }

    fn req_11_a_profile_is_shown_as_a_tree(backend) {
        let _ctx = backend.context();
        let at = |line| Location::new("smbd.c", line);
        let epoch = SystemTime::UNIX_EPOCH;
        let mut root = Profile::new("connect");
        root.set_start(at(1), epoch);
        root.set_stop(at(9), epoch + Duration::from_millis(1500));
        root.set_status(7, ReqState::UserError, 5);
        let mut child = Profile::new("resolve");
        child.set_start(at(2), epoch + Duration::from_secs(9));
        child.set_stop(at(3), epoch); // the clock was set back
        child.set_status(7, ReqState::Done, 0);
        root.append_sub(child);
        root.append_sub(Profile::new("open"));
        let tree = "connect [1.5s] smbd.c:1 -> smbd.c:9: UserError (5)\n  resolve [0ns] smbd.c:2 -> smbd.c:3: Done (0)\n  open [-]: Init (0)\n";
        assert_eq!(root.to_string(), tree);
        assert_eq!((root.pid(), root.error(), root.clone()), (7, 5, root));
    }
}

#[test]
fn req_14_a_deep_profile_is_copied_compared_and_shown_without_stack() {
    let mut profile = Profile::new("deepest");
    for n in 0..100_000_u32 {
        let mut above = Profile::new("above");
        above.set_status(n, ReqState::Done, 0);
        above.append_sub(profile);
        profile = above;
    }
    let copy = profile.clone();
    assert!(copy == profile);
    assert!(format!("{profile:?}").contains("above"));
    assert!(profile != *profile.subprofiles().first().unwrap());
}
