//! D: what happens to the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_sim::{Script, SimOptions, Simulator};
use serde_json::json;
use tokio::task::JoinSet;

use super::e_attacks::{look_at, png_of};
use super::support::{
    CHAT, House, KEY, MESSAGES, Plan, RESPONSES, SOON, WallClock, Wire, ask, embedded,
    has_no_secret, request, streamed, until, whole, with,
};

/// SIGTERM with 100 streams: nobody new is let in, every stream is told to its end, and the exit code is 0.
#[tokio::test(flavor = "multi_thread")]
async fn d01_sigterm_with_100_streams() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let pieces = ["word "; 20];
    house.script(
        "d01",
        Script::new()
            .text_slowly(&pieces, Duration::from_millis(100))
            .stop("END_TURN"),
    );
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(house.open(&streamed("d01")).await);
    }
    for stream in &mut streams {
        assert!(stream.until("data: ").await);
    }
    house.program.signal("-TERM");
    let mut telling = JoinSet::new();
    for mut stream in streams {
        telling.spawn(async move { stream.answer().await.whole_text() });
    }
    until("the closed door", || {
        std::net::TcpStream::connect(house.address()).is_err()
    })
    .await;
    for text in telling.join_all().await {
        assert_eq!(text, pieces.concat());
    }
    assert_eq!(house.program.ended().await, Some(0));
    house.log_is_clean();
}

/// SIGTERM with streams that take longer than the drain: each ends with an error in its dialect and no normal end,
/// and the exit code is 0.
#[tokio::test(flavor = "multi_thread")]
async fn d02_streams_longer_than_the_drain() {
    let plan = Plan::new().cold().set("SERVER__DRAIN_TIMEOUT", "500ms");
    let mut house = plan.start().await;
    house.script("d02", Script::new().text("One ").hang());
    let mut chat = house.open(&streamed("d02")).await;
    let mut others = Vec::new();
    for (path, body) in [
        (MESSAGES, with(streamed("d02"), json!({"max_tokens": 100}))),
        (
            RESPONSES,
            json!({"model": "claude-sonnet-4-5", "stream": true, "input": "d02"}),
        ),
    ] {
        let mut wire = house.wire().await;
        wire.send(request("POST", path, "", body.to_string()))
            .await
            .unwrap();
        assert!(wire.until("One ").await);
        others.push(wire);
    }
    let mut whole_one = house.open(&whole("d02")).await;
    assert!(chat.until("One ").await);
    house
        .sim
        .wait_until(|state| state.open_streams == 4, SOON)
        .await
        .unwrap();
    house.program.signal("-TERM");
    let (text, error) = chat.answer().await.broken_off();
    assert_eq!(text, "One ");
    assert!(
        error["message"].as_str().unwrap().contains("shutting down"),
        "{error}"
    );
    for mut wire in others {
        let told = wire.rest().await;
        assert!(told.contains("shutting down"), "{told}");
        assert!(
            !told.contains("message_stop") && !told.contains("response.completed"),
            "{told}"
        );
    }
    assert_eq!(whole_one.answer().await.error().0, 503);
    assert_eq!(house.program.ended().await, Some(0));
    house.log_is_clean();
}

/// A second signal ends the process at once, whatever is open, and the exit code names it; SIGINT drains as SIGTERM
/// does, and SIGQUIT does not.
#[tokio::test(flavor = "multi_thread")]
async fn d03_signals_twice() {
    for (first, second, code) in [
        ("-TERM", "-TERM", 143),
        ("-INT", "-TERM", 143),
        ("-TERM", "-INT", 130),
        ("-TERM", "-QUIT", 131),
    ] {
        let mut house = Plan::new().cold().start().await;
        house.script("d03", Script::new().text("One ").hang());
        let mut wire = house.open(&streamed("d03")).await;
        assert!(wire.until("One ").await);
        house.program.signal(first);
        until("the drain", || house.program.log().contains("draining")).await;
        house.program.signal(second);
        // The drain would take 30 s.
        let ended = house.program.ended().await;
        assert_eq!(ended, Some(code), "{first} {second}");
        assert!(
            !house.program.log().contains("the drain deadline"),
            "{first} {second}"
        );
        house.log_is_clean();
    }
    let mut house = Plan::new().cold().start().await;
    assert_eq!(house.chat(&whole("hi")).await.status, 200);
    house.program.signal("-INT");
    assert_eq!(house.program.ended().await, Some(0));
    let mut house = Plan::new().cold().start().await;
    house.script("d03", Script::new().text("One ").hang());
    let mut wire = house.open(&streamed("d03")).await;
    assert!(wire.until("One ").await);
    house.program.signal("-QUIT");
    assert_eq!(house.program.ended().await, Some(131));
}

/// A good configuration takes the place of the one before in one step, a bad one changes nothing and is named in the
/// log; no stream is dropped by either.
#[tokio::test(flavor = "multi_thread")]
async fn d04_reload_good_and_bad() {
    let mut house = Plan::new().in_file().start().await;
    let other = with(whole("hi"), json!({"model": "some-other-model"}));
    assert_eq!(house.chat(&other).await.status, 404);
    house.configure("[models]\nfallback = \"claude-haiku-4.5\"");
    house.program.signal("-HUP");
    until("the reload", || {
        house.program.log().contains("was reloaded")
    })
    .await;
    assert_eq!(house.chat(&other).await.status, 200);
    house.configure("[server]\nmax_boddy = 1");
    house.program.signal("-HUP");
    until("the refusal", || house.program.log().contains("max_boddy")).await;
    assert_eq!(house.chat(&other).await.status, 200, "the one before stays");
    house.survives().await;
}

/// While the next process takes over the port and the last one ends, no connection is refused and no answer is cut.
#[tokio::test(flavor = "multi_thread")]
async fn d05_hand_over_under_load() {
    let plan = Plan::new()
        .in_file()
        .env("LOG_LEVEL", "info")
        .set("SERVER__REUSE_PORT", "true");
    let mut house = plan.cold().start().await;
    let address = house.address();
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let over = over.clone();
        clients.spawn(async move {
            let mut n_answers = 0;
            while !over.load(Ordering::Relaxed) {
                let answer = ask(address, KEY, &whole("sim:echo load")).await;
                assert_eq!(answer.content(), "load");
                n_answers += 1;
            }
            n_answers
        });
    }
    for _ in 0..2 {
        let next = house.another_at(address);
        let mut last = std::mem::replace(&mut house.program, next);
        last.signal("-TERM");
        assert_eq!(last.ended().await, Some(0));
    }
    over.store(true, Ordering::Relaxed);
    assert!(clients.join_all().await.iter().sum::<u32>() > 0);
    house.log_is_clean();
}

/// Without descriptors no connection is accepted and nothing spins; open streams go on, and when descriptors are
/// back everybody is served.
#[tokio::test(flavor = "multi_thread")]
async fn d06_no_descriptors_left() {
    let mut house = Plan::new().limit("ulimit -n 64").start().await;
    house.script(
        "d06",
        Script::new()
            .text_slowly(&["word "; 20], Duration::from_millis(100))
            .stop("END_TURN"),
    );
    let mut stream = house.open(&streamed("d06")).await;
    assert!(stream.until("word ").await);
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(house.wire().await);
    }
    let refused = || house.program.log().matches("could not be accepted").count();
    until("the lack of descriptors", || refused() > 0).await;
    assert_eq!(stream.answer().await.whole_text(), "word ".repeat(20));
    // It pauses for a tenth of a second each time.
    assert!(refused() < 600, "{} times", refused());
    drop(crowd);
    house.survives().await;
}

fn is_short(house: &House) -> bool {
    house.program.log().contains("memory is short")
}

/// Close to the ceiling for memory, of a load of large bodies, new requests are refused with a time to come back
/// before their bodies are read, streams go on, and the ceiling is not passed; when the load is gone, everybody is
/// served again.
#[tokio::test(flavor = "multi_thread")]
async fn d07_memory_is_nearly_used_up() {
    const SHORT: &str = "kiro_gateway_short_of_memory";
    const CEILING: usize = 384 << 20;
    let plan = Plan::new()
        .env("LOG_LEVEL", "info")
        .set("SERVER__MAX_MEMORY", "384MiB")
        .sim(|sim| sim.credit_quota = 1e12);
    let mut house = plan.start().await;
    house.script("picture", Script::new().hang_before_head());
    house.script("a stream", Script::new().text("One ").hang());
    let mut stream = house.open(&streamed("a stream")).await;
    assert!(stream.until("One ").await);

    let picture = STANDARD.encode(png_of(100, 100, 3 << 20));
    let body = look_at(&format!("data:image/png;base64,{picture}"));
    let asks = request("POST", CHAT, "", body.to_string());
    let mut load = Vec::new();
    while house.metric(SHORT).await == 0.0 {
        let mut wire = house.wire().await;
        wire.send(&asks).await.unwrap();
        load.push(wire);
        assert!(load.len() < 200, "there is memory for everybody");
        let asked = || house.sim.open_streams() as usize >= load.len() || is_short(&house);
        until("the request upstream", asked).await;
    }
    for body in [streamed("And me?"), whole("And me?")] {
        let answer = house.chat(&body).await;
        assert_eq!(answer.error().0, 503);
        assert!(answer.header("retry-after").is_some());
    }
    // It is refused by its head.
    let mut wire = house.wire().await;
    wire.send(&asks[..asks.len() / 2]).await.unwrap();
    assert_eq!(wire.answer().await.error().0, 503);
    let peak = house.program.peak();
    assert!(peak < CEILING, "{} MiB", peak >> 20);
    drop((wire, load));
    let is_back = || house.program.log().contains("there is memory again");
    until("memory", is_back).await;
    assert_eq!(house.chat(&whole("And me?")).await.status, 200);
    assert_eq!(house.program.log().matches("memory is short").count(), 1);
    drop(stream);
    house.survives().await;
}

/// A process that is killed resets its streams, and the next one asks nothing again that was asked before.
#[tokio::test(flavor = "multi_thread")]
async fn d08_sigkill_and_restart() {
    let mut house = Plan::new().in_file().cold().start().await;
    house.script("d08", Script::new().text("One ").hang());
    let mut wire = house.open(&streamed("d08")).await;
    assert!(wire.until("One ").await);
    let sent = house.sent("d08").len();
    house.program.signal("-KILL");
    assert_eq!(house.program.ended().await, None);
    let told = wire.rest().await;
    assert!(
        !told.contains("\"finish_reason\":\"stop\"") && !told.contains("[DONE]"),
        "{told}"
    );
    house.program = house.another();
    let answer = house.chat(&whole("the next")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(house.sent("d08").len(), sent, "nothing is asked twice");
    house.survives().await;
}

/// A panic in one request is a 500 for it alone: the lock that it held serves the next ones, and so does the
/// connection.
#[tokio::test(flavor = "multi_thread")]
async fn d09_panic_in_one_handler() {
    let sim = Simulator::start(SimOptions::default()).await.unwrap();
    let tls = embedded::trusting(rustls::RootCertStore::empty());
    let panics = Box::new(|_| panic!("on purpose"));
    let address = embedded::gateway(&sim, &sim.base_url(), tls, panics).await;
    let guest = format!("{KEY}:{}", sim.issue_social().refresh_token.unwrap());
    for _ in 0..3 {
        let (status, message) = ask(address, &guest, &whole("hi")).await.error();
        assert_eq!(status, 500);
        assert!(!message.contains("purpose"), "{message}");
        assert_eq!(ask(address, KEY, &whole("hi")).await.status, 200);
    }
    let own = String::from_utf8(request("POST", CHAT, "", whole("hi").to_string())).unwrap();
    let theirs = own.replace(&format!("Bearer {KEY}"), &format!("Bearer {guest}"));
    let mut wire = Wire::open(address).await;
    for (asks, status) in [(&theirs, 500), (&own, 200), (&theirs, 500), (&own, 200)] {
        wire.send(asks).await.unwrap();
        assert_eq!(wire.answer().await.status, status);
    }
}

/// A process that was stopped for a moment, with streams open and tokens expired meanwhile, goes on where it was;
/// one refresh serves all.
#[tokio::test(flavor = "multi_thread")]
async fn d10_stopped_and_continued() {
    let mut house = House::start().await;
    house.script(
        "d10",
        Script::new()
            .text_slowly(&["word "; 20], Duration::from_millis(50))
            .stop("END_TURN"),
    );
    let mut stream = house.open(&streamed("d10")).await;
    assert!(stream.until("word ").await);
    let before = house.sim.refreshes(house.accounts[0].account);
    house.program.signal("-STOP");
    house.sim.expire_access_tokens();
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let mut wire = house.open(&whole("after the stop")).await;
        waiting.spawn(async move { wire.answer().await.status });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    house.program.signal("-CONT");
    assert_eq!(stream.answer().await.whole_text(), "word ".repeat(20));
    assert_eq!(waiting.join_all().await, [200; 20]);
    assert_eq!(house.sim.refreshes(house.accounts[0].account), before + 1);
    house.survives().await;
}

const DROPPED: &str = "kiro_gateway_log_lines_dropped_total";

/// Asks what is refused at once and fills a few lines of the log, until lines of it are dropped.
async fn fill_the_log(house: &House) {
    let asks = request("POST", CHAT, "", "{}").repeat(100);
    let mut wire = house.wire().await;
    let mut answers = 0;
    while house.metric(DROPPED).await == 0.0 {
        wire.send(&asks).await.unwrap();
        for _ in 0..100 {
            assert_eq!(wire.answer().await.status, 400);
        }
        answers += 100;
        assert!(answers < 50_000, "nothing is dropped");
    }
}

/// A log that nobody reads holds nobody up: what does not fit into a buffer is dropped and counted, and when it is
/// read again it says so. A log whose pipe is closed neither ends the program nor keeps it busy, and neither
/// hinders its end.
#[tokio::test(flavor = "multi_thread")]
async fn d11_log_that_nobody_reads() {
    let mut house = Plan::new().unread().start().await;
    fill_the_log(&house).await;
    let answer = house.chat(&streamed("sim:echo to be read")).await;
    assert_eq!(answer.whole_text(), "to be read");
    house.program.read_log();
    let told = || {
        house
            .program
            .log()
            .contains("lines of the log were dropped")
    };
    until("the word about what is missing", told).await;
    house.survives().await;

    let mut closed = Plan::new().unread().start().await;
    closed.program.close_log();
    let before = closed.metric(DROPPED).await;
    assert_eq!(closed.chat(&whole("hi")).await.status, 200);
    assert!(closed.metric(DROPPED).await > before);
    closed.survives().await;
    let before = closed.program.ticks();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = closed.program.ticks() - before;
    assert!(used < 50, "{used} % of a processor for nothing");
    closed.program.signal("-TERM");
    assert_eq!(closed.program.ended().await, Some(0));

    let mut blocked = Plan::new().unread().start().await;
    fill_the_log(&blocked).await;
    blocked.program.signal("-TERM");
    assert_eq!(blocked.program.ended().await, Some(0));
}

/// A wall clock that jumps an hour ahead and two back ends no stream and stops no timer. A token that looks expired is
/// refreshed once, and one that only the service knows to be expired is refreshed by its answer.
#[tokio::test(flavor = "multi_thread")]
async fn d12_clock_jumps() {
    const HOUR: i64 = 3600;
    let clock = WallClock::new();
    let plan = Plan::new()
        .set("TIMEOUTS__GAP", "3s")
        .set("TIMEOUTS__LEAST_GAP", "3s");
    let mut house = clock.rules(plan).start().await;
    let created = async |house: &House| {
        let answer = house.chat(&whole("hi")).await.json();
        answer["created"].as_i64().unwrap()
    };
    let refreshes = |house: &House| house.sim.refreshes(house.accounts[0].account);
    let pieces = ["word "; 20];
    let slowly = Script::new().text_slowly(&pieces, Duration::from_millis(50));
    house.script("d12", slowly.stop("END_TURN"));
    house.script("hangs", Script::new().text("One ").hang());
    let start = created(&house).await;
    let mut n_refreshes = refreshes(&house);

    for (moved, refreshed_anew) in [(HOUR, true), (-HOUR, false)] {
        let mut stream = house.open(&streamed("d12")).await;
        let mut hangs = house.open(&streamed("hangs")).await;
        assert!(stream.until("word ").await && hangs.until("One ").await);
        clock.moved_by(moved);
        assert_eq!(stream.answer().await.whole_text(), pieces.concat());
        let (_, error) = hangs.answer().await.broken_off();
        assert!(
            error["message"].as_str().unwrap().contains("3 seconds"),
            "{error}"
        );

        let mut asking = JoinSet::new();
        for _ in 0..20 {
            let mut wire = house.open(&whole("after the jump")).await;
            asking.spawn(async move { wire.answer().await.status });
        }
        assert_eq!(asking.join_all().await, [200; 20]);
        let off = created(&house).await - start - moved;
        assert!(
            (0..HOUR / 2).contains(&off),
            "the clock of the program is {off} s off"
        );
        n_refreshes += u64::from(refreshed_anew);
        assert_eq!(refreshes(&house), n_refreshes, "{moved}");
    }

    house.sim.expire_access_tokens();
    assert_eq!(house.chat(&whole("hi")).await.status, 200);
    assert_eq!(refreshes(&house), n_refreshes + 1);
    house.survives().await;
}

/// In small what `cargo xtask soak` does for hours: 630 requests with mixed faults leave no memory and no descriptors
/// behind.
#[tokio::test(flavor = "multi_thread")]
async fn d13_mixed_faults_leave_nothing() {
    let mut house = Plan::new().env("LOG_LEVEL", "info").start().await;
    let kinds = [
        "",
        "sim:cut",
        "sim:bad-message-crc",
        "sim:reset",
        "sim:end-inside-frame",
        "sim:unknown-event",
        "sim:segments=1",
    ];
    let round = async |house: &House| {
        for n in 0..30 {
            let mut asking = JoinSet::new();
            for kind in kinds {
                let text = format!("{kind} sim:echo mixed words of round {n}");
                let body = if n % 2 == 0 {
                    streamed(&text)
                } else {
                    whole(&text)
                };
                let asks = request("POST", CHAT, "connection: close\r\n", body.to_string());
                let address = house.address();
                asking.spawn(async move {
                    let mut wire = Wire::open(address).await;
                    wire.send(asks).await.unwrap();
                    if n % 5 != 4 {
                        wire.answer().await;
                    }
                });
            }
            asking.join_all().await;
        }
    };
    round(&house).await;
    let before = house.program.holds().memory;
    for _ in 0..2 {
        round(&house).await;
    }
    let more = house.program.holds().memory.saturating_sub(before);
    assert!(more < 16 << 20, "{} KiB more", more >> 10);
    house.survives().await;
}

/// A process that is killed while it writes a capture leaves no half one: each that is there is whole, the next process
/// serves at once, and what was half written is gone.
#[tokio::test(flavor = "multi_thread")]
async fn d14_killed_while_capturing() {
    let plan = Plan::new().env("LOG_LEVEL", "info").in_file();
    let plan = plan.set("LOG__CAPTURE", "all");
    let mut house = plan
        .set("LOG__CAPTURE_PATH", "captures")
        .cold()
        .start()
        .await;
    let folder = house.folder.path().join("captures");
    let files = |end: &str| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        let files = entries.map(|entry| entry.unwrap().path());
        let is_wanted = |file: &std::path::PathBuf| file.to_string_lossy().ends_with(end);
        files.filter(is_wanted).collect()
    };
    let all_are_whole = || {
        for file in files(".json") {
            let text = std::fs::read_to_string(&file).unwrap();
            let capture: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(capture["kiro_capture"], 1, "{file:?}");
            // The beginning of a token in base64 may stand in any bytes.
            let lines = text.lines().filter(|line| !line.contains("\"base64\": "));
            has_no_secret("a capture", &lines.collect::<String>());
        }
    };
    // Large ones take a while to write.
    let long = "many words ".repeat(150_000);
    let mut n_half = 0;
    for moment in 0..40 {
        if n_half >= 3 && moment >= 8 {
            break;
        }
        let n_whole = files(".json").len();
        let mut wire = house.open(&whole(&long)).await;
        wire.answer().await;
        // As soon as it is answered, while it is written, and when it is there.
        let is_time = || match moment % 4 {
            0 => true,
            3 => files(".json").len() > n_whole,
            _ => !files(".tmp").is_empty() || files(".json").len() > n_whole,
        };
        let end = tokio::time::Instant::now() + SOON;
        while !is_time() {
            assert!(tokio::time::Instant::now() < end, "nothing is written");
        }
        house.program.signal("-STOP");
        n_half += files(".tmp").len();
        house.program.signal("-KILL");
        assert_eq!(house.program.ended().await, None);
        all_are_whole();

        house.program = house.another();
        let answer = house.chat(&whole("the next")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        until("a clean folder", || files(".tmp").is_empty()).await;
        all_are_whole();
    }
    assert!(
        n_half >= 3,
        "killed in the middle of a write {n_half} times"
    );
    house.survives().await;
}
