//! The next process takes over the port of the one before.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use super::*;

/// Clients that ask all the time, each question over a connection of its own, every other one for a stream.
pub(super) struct Load {
    answers: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub(super) fn begin(address: SocketAddr) -> Self {
        let (answers, ends) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let client = |_| {
            let (answers, ends) = (answers.clone(), ends.clone());
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                for body in [question(), streamed()].iter().cycle() {
                    if ends.load(Ordering::Relaxed) {
                        break;
                    }
                    match ask(address, body) {
                        Ok(()) => drop(answers.fetch_add(1, Ordering::Relaxed)),
                        Err(failure) => failures.push(failure),
                    }
                }
                failures
            })
        };
        Self {
            clients: (0..4).map(client).collect(),
            answers,
            ends,
        }
    }

    /// Waits for so many more good answers.
    pub(super) fn more(&self, n: usize) {
        let wanted = self.answers.load(Ordering::Relaxed) + n;
        let begun = Instant::now();
        while self.answers.load(Ordering::Relaxed) < wanted {
            assert!(begun.elapsed() < SOON, "nobody is served");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it; nothing may have failed.
    pub(super) fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        let failures = self.clients.into_iter();
        let failures: Vec<_> = failures.flat_map(|client| client.join().unwrap()).collect();
        assert!(failures.is_empty(), "{failures:?}");
    }
}

fn ask(address: SocketAddr, body: &Value) -> Result<(), String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let mut stream = TcpStream::connect(address).map_err(failed("connect"))?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = chat_request(KEY, body);
    stream
        .write_all(request.as_bytes())
        .map_err(failed("write"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed("read"))?;
    let is_whole = match body["stream"] == json!(true) {
        true => answer.contains("data: [DONE]\n\n") && answer.ends_with("0\r\n\r\n"),
        false => answer.ends_with('}'),
    };
    match answer.starts_with("HTTP/1.1 200") && is_whole {
        true => Ok(()),
        false => Err(format!("not whole: {answer:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn a_restart_on_a_shared_port_drops_nothing() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    let share = "[server]\nreuse_port = true";
    configure(folder.path(), &sim, &with_account(&sim), share);
    let mut serving = Logged::serve(folder.path(), "127.0.0.1:0", &[]);
    let address = serving.address;
    let load = Load::begin(address);
    for _ in 0..3 {
        load.more(20);
        let next = Logged::serve(folder.path(), &address.to_string(), &[]);
        load.more(20);
        serving.send("-TERM");
        assert_eq!(serving.ended(), Some(0));
        serving = next;
    }
    load.more(20);
    load.end();
}
