//! C: what goes wrong with the place where a login is kept.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use kiro_sim::{Rotation, Script, SignInFault};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::support::{
    CHAT, Place, Plan, StopSign, Wire, request, streamed, until, whole, write_login,
};

/// The refresh token in a credential file, which must be whole.
fn token_in(file: &Path) -> String {
    let text = fs::read(file).unwrap();
    let login: Value = serde_json::from_slice(&text).expect("the file is whole");
    assert_eq!(login["somethingNew"], json!({"kept": true}));
    login["refreshToken"].as_str().unwrap().to_owned()
}

/// A full disk after the rotation costs nothing: the new token serves from memory, the log is loud, and when there
/// is room again it is saved.
#[tokio::test(flavor = "multi_thread")]
async fn c01_disk_full_on_save() {
    // Nobody may write a file, and who tries is told so instead of killed.
    let plan = Plan::new().in_file().limit("trap '' XFSZ; ulimit -S -f 0");
    let house = plan.cold().start().await;
    let before = token_in(&house.login(0));
    for n in 0..3 {
        let answer = house.chat(&whole(&format!("full {n}"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(
        token_in(&house.login(0)),
        before,
        "the old file is left as it is"
    );
    let loud = || house.program.log().contains(" ERROR ");
    until("an error in the log", loud).await;
    assert_eq!(
        house.sim.refreshes(house.accounts[0].account),
        1,
        "nobody refreshes in vain"
    );

    let pid = house.program.pid().to_string();
    let raised = std::process::Command::new("prlimit")
        .args(["--pid", &pid, "--fsize=unlimited"])
        .status();
    assert!(raised.unwrap().success());
    until("the token in the file", || {
        token_in(&house.login(0)) != before
    })
    .await;
    house.log_is_clean();
}

/// A process that is killed at any moment of a save leaves the old file or the new one, whole, and the next one
/// serves with it.
#[tokio::test(flavor = "multi_thread")]
async fn c02_killed_while_saving() {
    let (grace, sign) = (
        Rotation::AlwaysGrace(Duration::from_secs(3600)),
        StopSign::new(),
    );
    let plan = Plan::new().in_file().sim(|sim| sim.rotation = grace);
    let mut house = sign.rules(plan, "login-0.json").cold().start().await;
    let file = house.login(0);
    for place in [Place::Written, Place::Synced, Place::Renamed] {
        let before = token_in(&file);
        let n_files = fs::read_dir(house.folder.path()).unwrap().count();
        let refreshes = house.sim.state().refreshes;
        house.sim.expire_access_tokens();
        sign.stand(place);
        let _wire = house.open(&whole("a question")).await;
        until("the stop", || house.program.is_stopped()).await;
        house.program.signal("-KILL");
        assert_eq!(house.program.ended().await, None);
        assert!(house.sim.state().refreshes > refreshes, "it is rotated");
        let is_new = token_in(&file) != before;
        assert_eq!(is_new, place == Place::Renamed, "{place:?}");
        let n_more = fs::read_dir(house.folder.path()).unwrap().count() - n_files;
        assert_eq!(n_more > 0, !is_new, "{place:?}: a file beside the old one");

        sign.stand(Place::Nowhere);
        house.program = house.another();
        let answer = house.chat(&whole("the next")).await;
        assert_eq!(answer.status, 200, "{place:?}: {}", answer.text());
        assert_ne!(token_in(&file), before, "{place:?}");
    }
    house.log_is_clean();
}

/// A file that is empty, cut, not JSON, of another shape or no file at all is left as it is; the others serve.
#[tokio::test(flavor = "multi_thread")]
async fn c03_corrupt_files() {
    for content in [
        &b""[..],
        b"{",
        b"not json",
        b"[]",
        b"{\"refreshToken\": 7}",
        b"\0\0\0\0",
        &[0xff; 100],
    ] {
        let mut house = Plan::new().accounts(2).cold().start().await;
        let broken = house.login(0);
        fs::write(&broken, content).unwrap();
        for n in 0..4 {
            let answer = house.chat(&whole(&format!("broken {n}"))).await;
            assert_eq!(answer.status, 200, "{content:?}: {}", answer.text());
        }
        assert_eq!(fs::read(&broken).unwrap(), content, "it is left as it is");
        // Each conversation has its account, so it takes several to meet both.
        let is_named = || house.program.log().contains("login-0.json");
        for n in 0.. {
            if is_named() {
                break;
            }
            assert!(n < 100, "the log names the file: {content:?}");
            assert_eq!(house.chat(&whole(&format!("again {n}"))).await.status, 200);
        }
        house.rests().await;
        house.log_is_clean();
    }
    let house = Plan::new().accounts(2).cold().start().await;
    fs::remove_file(house.login(0)).unwrap();
    fs::create_dir(house.login(0)).unwrap();
    for _ in 0..4 {
        assert_eq!(house.chat(&whole("a folder")).await.status, 200);
    }
}

/// What is written anew nobody else may read; a symbolic link stays one, and the file behind it is replaced with
/// the mode that it had.
#[tokio::test(flavor = "multi_thread")]
async fn c04_modes_and_links() {
    let house = Plan::new().accounts(2).cold().start().await;
    let linked = house.folder.path().join("elsewhere.json");
    fs::rename(house.login(0), &linked).unwrap();
    symlink(&linked, house.login(0)).unwrap();
    for file in [&linked, &house.login(1)] {
        fs::set_permissions(file, PermissionsExt::from_mode(0o640)).unwrap();
    }
    let before = [token_in(&linked), token_in(&house.login(1))];
    for n in 0..8 {
        assert_eq!(house.chat(&whole(&format!("modes {n}"))).await.status, 200);
    }
    assert_ne!([token_in(&linked), token_in(&house.login(1))], before);
    assert!(fs::symlink_metadata(house.login(0)).unwrap().is_symlink());
    for entry in fs::read_dir(house.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let mode = fs::metadata(entry.path()).unwrap().permissions().mode() & 0o777;
        match &*name {
            "elsewhere.json" | "login-0.json" | "login-1.json" => assert_eq!(mode, 0o640, "{name}"),
            "kiro-2api.toml" => {}
            _ => assert_eq!(mode & 0o077, 0, "{name}: {mode:o}"),
        }
    }
    house.log_is_clean();

    // What is kept of a token from the environment is for its owner alone.
    let house = Plan::new().start().await;
    let vault = house.folder.path().join(".local/state/kiro-2api/vault");
    for entry in fs::read_dir(&vault).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    house.log_is_clean();
}

/// A read-only file is served from memory, and the log says what that means.
#[tokio::test(flavor = "multi_thread")]
async fn c05_read_only_files() {
    let mut house = Plan::new().in_file().cold().start().await;
    fs::set_permissions(house.login(0), PermissionsExt::from_mode(0o444)).unwrap();
    let before = fs::read(house.login(0)).unwrap();
    for n in 0..3 {
        let answer = house.chat(&whole(&format!("read only {n}"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        house.sim.expire_access_tokens();
    }
    assert_eq!(fs::read(house.login(0)).unwrap(), before);
    let log = house.program.log();
    let lines = log.lines().filter(|line| line.contains("is read-only"));
    let lines: Vec<&str> = lines.collect();
    let [line] = *lines else {
        panic!("it is said once: {lines:?}");
    };
    for word in [
        " WARN ",
        "login-0.json",
        "rotated tokens are not kept in it",
    ] {
        assert!(line.contains(word), "{line}");
    }
    house.survives().await;
}

/// Two processes on one file whose token expires take turns: one refreshes, and both serve with what it got.
#[tokio::test(flavor = "multi_thread")]
async fn c06_two_processes_on_one_file() {
    let mut house = Plan::new().in_file().start().await;
    let second = house.another();
    let asks = request(
        "POST",
        CHAT,
        "connection: close\r\n",
        whole("both").to_string(),
    );
    for round in 1..=3 {
        let before = house.sim.refreshes(house.accounts[0].account);
        house.sim.expire_access_tokens();
        let mut asking = JoinSet::new();
        for n in 0..20 {
            let address = if n % 2 == 0 {
                house.address()
            } else {
                second.address
            };
            let asks = asks.clone();
            asking.spawn(async move {
                let mut wire = Wire::open(address).await;
                wire.send(asks).await.unwrap();
                wire.answer().await
            });
        }
        for answer in asking.join_all().await {
            assert_eq!(answer.status, 200, "{round}: {}", answer.text());
        }
        let refreshes = house.sim.refreshes(house.accounts[0].account) - before;
        assert_eq!(refreshes, 1, "round {round}");
    }
    second.kill().await;
    house.survives().await;
}

/// Another program that rotates the token behind us is noticed: the file is read again, and nobody signs in anew.
#[tokio::test(flavor = "multi_thread")]
async fn c07_another_program_rotates() {
    let mut house = Plan::new().in_file().start().await;
    // Somebody signs in again with the same file, and the old tokens end.
    let another = house.sim.issue_social();
    house.sim.revoke(house.accounts[0].account);
    write_login(&house.login(0), &another);
    let answer = house.chat(&whole("after the change")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        house.sent("after the change").last().unwrap().account,
        Some(another.account)
    );
    house.survives().await;
}

/// An account that is taken out of the configuration while its stream is open tells that stream to its end, and
/// is not asked again.
#[tokio::test(flavor = "multi_thread")]
async fn c08_account_removed_with_streams_open() {
    let house = Plan::new().accounts(2).cold().start().await;
    house.script(
        "c08",
        Script::new()
            .text_slowly(&["word "; 40], Duration::from_millis(100))
            .stop("END_TURN"),
    );
    let mut streams = [
        house.open(&streamed("c08")).await,
        house.open(&streamed("c08")).await,
    ];
    for stream in &mut streams {
        assert!(stream.until("word ").await);
    }
    let second = house.login(1);
    let only = format!("[[account]]\nname = \"n1\"\nfile = {second:?}\n");
    fs::write(house.folder.path().join("kiro-2api.toml"), only).unwrap();
    house.program.signal("-HUP");
    until("the reload", || {
        house.program.log().contains("was reloaded")
    })
    .await;
    for n in 0..6 {
        assert_eq!(house.chat(&whole(&format!("later {n}"))).await.status, 200);
    }
    let kept = Some(house.accounts[1].account);
    assert!(house.sent("later").iter().all(|one| one.account == kept));
    for mut stream in streams {
        assert_eq!(stream.answer().await.whole_text(), "word ".repeat(40));
    }
    house.log_is_clean();
}

/// A crash after the service has rotated and before the new token is saved loses it only where the service gives
/// the old one no grace: with grace the next process serves, and the file was never broken.
#[tokio::test(flavor = "multi_thread")]
async fn c09_crash_between_rotation_and_save() {
    let grace = Rotation::AlwaysGrace(Duration::from_secs(3600));
    let plan = Plan::new().in_file().sim(|sim| sim.rotation = grace);
    let mut house = plan.cold().start().await;
    for _ in 0..3 {
        let before = token_in(&house.login(0));
        let requests = house.sim.state().requests;
        house.sim.expire_access_tokens();
        house.sim.fail_sign_in(SignInFault::AnswerLost);
        house
            .sim
            .fail_sign_in(SignInFault::Delayed(Duration::from_secs(600)));
        let asks = request("POST", CHAT, "", whole("a question").to_string());
        let mut wire = house.wire().await;
        wire.send(asks).await.unwrap();
        // The rotation whose answer was lost, and the attempt behind it.
        house
            .sim
            .wait_for_requests(requests + 2, super::support::SOON)
            .await
            .unwrap();
        let next = house.another();
        std::mem::replace(&mut house.program, next).kill().await;
        assert_eq!(token_in(&house.login(0)), before);
        let answer = house.chat(&whole("the next")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_ne!(
            token_in(&house.login(0)),
            before,
            "saved before it was used"
        );
    }
    house.log_is_clean();
}

/// Sealed records of one login are not opened with another one, and stay as they are.
#[tokio::test(flavor = "multi_thread")]
async fn c10_sealed_store_with_a_wrong_key() {
    let mut house = Plan::new().start().await;
    let vault = house.folder.path().join(".local/state/kiro-2api/vault");
    let contents = || {
        let mut all: Vec<_> = fs::read_dir(&vault)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        all.sort();
        all
    };
    let sealed = contents();
    assert!(sealed.len() >= 2, "a record and the salt");
    // Somebody else's token finds nothing of ours, and leaves it.
    let guest = house.sim.issue_social().refresh_token.unwrap();
    let asks = String::from_utf8(request(
        "POST",
        CHAT,
        "connection: close\r\n",
        whole("hi").to_string(),
    ))
    .unwrap();
    let key = super::support::KEY;
    let mut wire = house.wire().await;
    wire.send(asks.replace(&format!("Bearer {key}"), &format!("Bearer {key}:{guest}")))
        .await
        .unwrap();
    assert_eq!(wire.answer().await.status, 200);
    let now = contents();
    assert!(
        sealed.iter().all(|one| now.contains(one)),
        "ours are as they were"
    );
    house.survives().await;
}
