//! What the log says of a quota of which little is left. In a program of its own, because the log is the process's.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use kiro_sim::SimOptions;
use support::quota::{asked, chat, pass, says, usage};
use support::{Answer, House, KEY, SOON, streamed, whole};

/// With warnings below this share.
async fn house(warn_below: f64) -> House {
    House::with(SimOptions::default(), |options| {
        options.quota.warn_below = warn_below;
    })
    .await
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn warnings(&self) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let warnings = text
            .lines()
            .filter(|line| line.contains("WARN") && line.contains("little is left"));
        warnings.count()
    }
}

/// Waits until the gateway has asked so often, and knows the answer.
async fn knows(house: &House, times: usize, used: f64) {
    while asked(house) < times {
        let so_far = house.sim.requests().len() as u64;
        let more = house.sim.wait_for_requests(so_far + 1, SOON);
        more.await.expect("it asks");
    }
    // Who asks while somebody does waits for the same answer.
    assert_eq!(usage(house, "/v1/usage", KEY).await["used"], used);
    assert_eq!(asked(house), times);
}

#[tokio::test]
async fn little_that_is_left_is_said_once_in_the_log_and_in_every_answer() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("kiro_gateway=warn")
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let house = house(0.1).await;
    let remaining = |answer: &Answer| answer.header("x-kiro-quota-remaining").map(str::to_owned);

    // Using it is enough to know.
    says(&house, 950.0, "ann");
    let first = chat(&house, &whole("hello")).await;
    assert_eq!((first.status.as_u16(), remaining(&first)), (200, None));
    knows(&house, 1, 950.0).await;
    assert_eq!(lines.warnings(), 1);
    let low = Some("50".to_owned());
    assert_eq!(remaining(&chat(&house, &whole("hello")).await), low);
    assert_eq!(remaining(&chat(&house, &streamed("hello")).await), low);
    assert_eq!(usage(&house, "/v1/usage", KEY).await["low"], true);
    assert_eq!(asked(&house), 1);

    // Less is no other crossing.
    pass(301).await;
    says(&house, 990.0, "ann");
    chat(&house, &streamed("hello")).await;
    knows(&house, 2, 990.0).await;
    assert_eq!(lines.warnings(), 1);

    // It is full again, and then not.
    for (times, used, warnings) in [(3, 0.0, 1), (4, 999.0, 2)] {
        pass(301).await;
        says(&house, used, "ann");
        chat(&house, &whole("hello")).await;
        knows(&house, times, used).await;
        assert_eq!(lines.warnings(), warnings);
    }
}
