//! Running a workload and telling what it costs.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::{Asked, Measure, Setup, Work};

static LATENCIES: OnceLock<Vec<u64>> = OnceLock::new();
static WAKEUPS: OnceLock<u64> = OnceLock::new();

/// Notes how many writes have woken the loop, where that is known.
pub fn tell_wakeups(wakeups: u64) {
    _ = WAKEUPS.set(wakeups);
}

/// Notes how many nanoseconds passed, each time, until the handler was called.
pub fn tell_latencies(latencies: Vec<u64>) {
    _ = LATENCIES.set(latencies);
}

/// Runs what was asked for, and prints what one operation costs.
///
/// # Panics
/// Where the machine refuses something.
#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
pub fn measure(asked: &Asked<'_>, setup: fn(Setup) -> Work) {
    raise_file_limit();
    let served = asked.known.measure == Measure::Server;
    let (mut load, sockets) =
        if served { start_load(asked.size, asked.milliseconds) } else { (None, Vec::new()) };
    let mut work = setup(Setup { size: asked.size, of: asked.of, sockets });
    let size = asked.size as u64;
    let each = match asked.known.measure {
        Measure::Repeat => repeat(&mut work, 64, asked.milliseconds),
        Measure::Groups => repeat(&mut work, size, asked.milliseconds),
        Measure::Once => {
            let started = Instant::now();
            let done = work(size);
            started.elapsed().as_nanos() as f64 / done as f64
        }
        Measure::Bytes => {
            let before = resident();
            let done = work(size);
            (resident() - before) as f64 / done as f64
        }
        Measure::Latency => {
            work((20 * asked.milliseconds).max(10));
            percentile(50)
        }
        Measure::Server => {
            let started = cpu_time();
            let done = work(0);
            (cpu_time() - started) as f64 / done as f64
        }
    };
    println!("{each:.2}");
    if asked.known.measure == Measure::Latency {
        println!("p99 {:.2}", percentile(99));
    }
    if let Some(wakeups) = WAKEUPS.get() {
        println!("wakeups {:.4}", *wakeups as f64 / size as f64);
    }
    if let Some(load) = &mut load {
        let ended = load.wait().expect("the load generator is our child");
        assert!(ended.success(), "the load generator failed");
    }
}

/// That many in a hundred were as quick as this, or quicker.
#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
fn percentile(percent: usize) -> f64 {
    let mut latencies = LATENCIES.get().expect("the workload tells them").clone();
    latencies.sort_unstable();
    latencies[latencies.len() * percent / 100] as f64
}

/// Ever more operations until they take long enough; what was before has warmed up. With `PEERS_OPERATIONS=N` in the
/// environment just so many, untimed, for who counts what they take.
#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
fn repeat(work: &mut Work, mut n: u64, milliseconds: u64) -> f64 {
    if let Some(operations) = std::env::var("PEERS_OPERATIONS").ok().and_then(|text| text.parse().ok()) {
        // Without a look at the clock, which rustix does not survive under valgrind.
        work(operations);
        return 0.0;
    }
    let enough = Duration::from_millis(milliseconds).as_nanos();
    loop {
        let (cpu_started, started) = (cpu_time(), Instant::now());
        let done = work(n);
        let (took, cpu_took) = (started.elapsed().as_nanos(), cpu_time() - cpu_started);
        if took >= enough {
            return cpu_took as f64 / done as f64;
        }
        let more = enough + enough / 5;
        n *= if took * 8 < more { 8 } else { u64::try_from(more / took).unwrap_or(7) + 1 };
    }
}

/// In nanoseconds.
fn cpu_time() -> u128 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("the processor's time is not negative").as_nanos()
}

/// Bytes of memory that this process has of its own: not the pages of files, such as the program itself.
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let mut pages = statm.split(' ').map_while(|pages| pages.parse::<usize>().ok());
    let (resident, of_files) = (pages.nth(1), pages.next());
    let own = resident.zip(of_files).map(|(resident, of_files)| resident - of_files);
    own.expect("the second and third number of statm") * rustix::param::page_size()
}

fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    raised.expect("a process may raise its limit");
}

/// Starts the load generator, which lies beside this program, and takes its connections.
fn start_load(clients: usize, milliseconds: u64) -> (Option<Child>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::listen(&listener, 1024).expect("a longer backlog");
    let port = listener.local_addr().expect("the port").port();
    let program = std::env::current_exe().expect("this program").with_file_name("echo-load");
    let numbers = [u64::from(port), clients as u64, milliseconds].map(|number| number.to_string());
    let load = Command::new(program).args(numbers).spawn().expect("the load generator is built");
    let sockets = (0..clients).map(|_| {
        let (socket, _address) = listener.accept().expect("a client");
        socket.set_nonblocking(true).expect("a socket need not block");
        socket.set_nodelay(true).expect("TCP has TCP_NODELAY");
        socket
    });
    (Some(load), sockets.collect())
}
