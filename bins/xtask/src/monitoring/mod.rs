//! The ready-made monitoring, before a real Prometheus.
//!
//! ```text
//! docs/operations: board, alerts, reference ──> prometheus ── scrapes ──> kiro-2api serve ── HTTP ──> kiro-2api sim
//! ```
//!
//! So a metric that is renamed, an expression that finds nothing and a remedy that names no command are noticed here, and
//! not at night.

mod board;
mod page;
mod reference;
mod rules;
mod server;
mod traffic;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::http::{Answer, Connection, request};
use crate::process;
use crate::stage::{Build, Stage};
use crate::workspace::Workspace;
use board::Query;
use page::Page;
use server::Prometheus;

const ALERTS: &str = "docs/operations/alerts.yaml";
const TESTS: &str = "docs/operations/alerts.test.yaml";
const BOARD: &str = "docs/operations/grafana.json";
const REFERENCE: &str = "docs/operations/metrics.md";

/// The key of the operator, which alone opens `/metrics`.
const ADMIN_KEY: &str = "admin-key-of-the-monitoring-tests";

/// A debug build is scraped every second and answers within one; a busy machine takes a multiple.
const DEADLINE: Duration = Duration::from_secs(120);

/// How often something is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Checks rules, board and reference against a gateway and a Prometheus of their own.
///
/// # Errors
///
/// One of them is wrong, a program is not installed, or the gateway does not survive.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    for arguments in [["check", "rules", ALERTS], ["test", "rules", TESTS]] {
        process::run(&mut workspace.command("promtool", &arguments))?;
    }
    let folder = workspace.target.join("monitoring");
    let settings = [
        ("KIRO_2API_ADMIN__KEY", ADMIN_KEY),
        // Wrong keys are part of the traffic.
        ("KIRO_2API_SERVER__FAILED_KEYS_PER_MINUTE", "0"),
    ];
    let mut stage = Stage::start(workspace, Build::Debug, &folder.join("stage"), &settings)?;
    let gateway = stage.gateway_url.trim_start_matches("http://").to_owned();
    traffic::round(&gateway)?;
    let page = scrape(&gateway)?;
    lint(workspace, &page, &folder)?;
    let documentation = fs::read_to_string(workspace.root.join(REFERENCE))?;
    reference::check(&documentation, &page).map_err(|error| format!("{REFERENCE}: {error}"))?;

    let config = configure(workspace, &documentation, &gateway, &folder)?;
    let mut prometheus = Prometheus::start(&config, &folder)?;
    let looked = wait_until_up(&prometheus)
        .and_then(|()| try_board(workspace, &prometheus, &page, &gateway))
        .and_then(|()| try_rules(workspace, &prometheus, &page, &documentation));
    looked.inspect_err(|_| {
        let (ours, theirs) = (stage.gateway.end_of_log(), prometheus.end_of_log());
        eprintln!("\nThe gateway's log ends with:\n{ours}\n\nThat of Prometheus:\n{theirs}\n");
    })?;
    prometheus.check()?;
    stage.check()
}

fn scrape(gateway: &str) -> Result<Page, Failure> {
    let authorization = format!("Bearer {ADMIN_KEY}");
    let request = request("GET", "/metrics", &[("authorization", &authorization)], "");
    let mut answer = Answer::default();
    Connection::open(gateway)?.ask(&request, &mut answer)?;
    let text = String::from_utf8(answer.body)?;
    match answer.status {
        200 => Page::parse(&text),
        status => Err(format!("/metrics answers {status}: {text}").into()),
    }
}

/// The names and the help texts are as Prometheus wants them.
fn lint(workspace: &Workspace, page: &Page, folder: &Path) -> Result<(), Failure> {
    let file = folder.join("metrics.txt");
    fs::write(&file, page.in_text_form())?;
    let mut check = workspace.command("promtool", &["check", "metrics"]);
    process::run(check.stdin(File::open(&file)?))?;
    println!("promtool finds nothing in {} metrics", page.families.len());
    Ok(())
}

/// Writes the configuration that the documentation shows, for this gateway and in a hurry.
fn configure(
    workspace: &Workspace,
    documentation: &str,
    gateway: &str,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let key = folder.join("key");
    fs::write(&key, ADMIN_KEY)?;
    let rules = workspace.root.join(ALERTS);
    let words = [
        ("15s", "1s"),
        ("127.0.0.1:8000", gateway),
        ("/etc/prometheus/kiro-2api/key", &key.to_string_lossy()),
        (
            "/etc/prometheus/kiro-2api/alerts.yaml",
            &rules.to_string_lossy(),
        ),
    ];
    let config = folder.join("prometheus.yaml");
    fs::write(&config, reference::scraper(documentation, &words)?)?;
    Ok(config)
}

fn wait_until_up(prometheus: &Prometheus) -> Result<(), Failure> {
    let end = Instant::now() + DEADLINE;
    loop {
        // An error at first: it listens before it can answer.
        let looked = prometheus.get("targets").and_then(|targets| {
            let target = &targets["activeTargets"][0];
            match target["health"] == "up" {
                true => Ok(()),
                false => Err(format!("Prometheus cannot scrape the gateway: {target}").into()),
            }
        });
        if looked.is_ok() || Instant::now() >= end {
            return looked;
        }
        thread::sleep(LOOK);
    }
}

/// Asks for every panel until it has found something; meanwhile the gateway has something to do.
fn try_board(
    workspace: &Workspace,
    prometheus: &Prometheus,
    page: &Page,
    gateway: &str,
) -> Result<(), Failure> {
    let board = fs::read_to_string(workspace.root.join(BOARD))?;
    reference::names(&board, page).map_err(|error| format!("{BOARD}: {error}"))?;
    let queries = board::queries(&board)?;
    let count = queries.len();
    let mut empty = Vec::new();
    for query in queries {
        match elsewhere(&query, page)? {
            Some(reason) => {
                prometheus.values(&query.expression)?;
                println!("`{}` stays empty: {reason}", query.panel);
            }
            None => empty.push(query),
        }
    }
    let end = Instant::now() + DEADLINE;
    while !empty.is_empty() {
        traffic::round(gateway)?;
        let mut still = Vec::new();
        for query in empty {
            let values = prometheus.values(&query.expression)?;
            if !values.iter().any(|value| value.is_finite()) {
                still.push(query);
            }
        }
        empty = still;
        if !empty.is_empty() && Instant::now() >= end {
            return Err(format!("these panels stay empty: {empty:#?}").into());
        }
        thread::sleep(LOOK);
    }
    println!("{count} expressions of the board");
    Ok(())
}

/// Why this one finds nothing here.
fn elsewhere(query: &Query, page: &Page) -> Result<Option<&'static str>, Failure> {
    let names = reference::names(&query.expression, page)?;
    Ok(names.into_iter().find_map(reference::reason_elsewhere))
}

/// Each rule can be evaluated, has a test, and a remedy that exists; the documentation tells of it.
fn try_rules(
    workspace: &Workspace,
    prometheus: &Prometheus,
    page: &Page,
    documentation: &str,
) -> Result<(), Failure> {
    let alerts = fs::read_to_string(workspace.root.join(ALERTS))?;
    reference::names(&alerts, page).map_err(|error| format!("{ALERTS}: {error}"))?;
    let tests = fs::read_to_string(workspace.root.join(TESTS))?;
    let program = Build::Debug.folder(workspace).join("kiro-2api");
    let rules = rules::read(&prometheus.get("rules")?)?;
    for rule in &rules {
        let name = &rule.name;
        prometheus.values(&rule.expression)?;
        rule.check_remedy(&program)?;
        if !tests.contains(&format!("alertname=\"{name}\"")) {
            return Err(format!("{TESTS} does not show that {name} fires").into());
        }
        if !documentation.contains(&format!("`{name}`")) {
            return Err(format!("{REFERENCE} does not tell of {name}").into());
        }
    }
    println!("{} alerts, each with its test and its remedy", rules.len());
    Ok(())
}
