//! Which hosts answer, and whether their clock and ours agree.

use std::time::{Duration, SystemTime};

use http::Uri;
use kiro_auth::{Clock as _, SystemClock};

use super::report::Report;
use crate::present::duration;
use crate::remedy;
use crate::service::{CallError, Knock, Service};

/// A skew that a token outlives without anybody noticing.
const HARMLESS_SKEW: Duration = Duration::from_secs(60);

/// A skew with which a token is used after it has expired, or is refreshed all the time.
const HARMFUL_SKEW: Duration = Duration::from_secs(300);

/// The hosts that requests of the accounts may go to, each once.
#[derive(Default)]
pub(super) struct Hosts(Vec<Uri>);

impl Hosts {
    pub(super) fn add(&mut self, hosts: impl IntoIterator<Item = Uri>) {
        for host in hosts {
            if !self.0.contains(&host) {
                self.0.push(host);
            }
        }
    }

    /// Knocks at every one of them.
    pub(super) async fn knock(&self, report: &mut Report, service: &Service) {
        let mut skew = None;
        for host in &self.0 {
            let knock = service.knock(host).await;
            tell(report, host, &knock);
            let date = knock.ok().and_then(|knock| knock.date);
            skew = skew.or(date.map(|date| skew_from(date, SystemClock.now())));
        }
        if let Some(skew) = skew {
            clock(report, skew);
        }
    }
}

fn tell(report: &mut Report, host: &Uri, knock: &Result<Knock, CallError>) {
    const ABOUT: &str = "host";
    let name = host.authority().map_or("", |authority| authority.as_str());
    match knock {
        Ok(knock) => report.ok(
            ABOUT,
            format_args!(
                "{name} answers after {} ms (status {})",
                knock.took.as_millis(),
                knock.status.as_u16()
            ),
        ),
        Err(error) => report.problem(ABOUT, error, &remedy::of_call(error, "")),
    }
}

/// How far our clock is from theirs, either way. Theirs comes in whole seconds.
fn skew_from(theirs: SystemTime, ours: SystemTime) -> Duration {
    let either = ours.duration_since(theirs);
    either.unwrap_or_else(|error| error.duration())
}

fn clock(report: &mut Report, skew: Duration) {
    const ABOUT: &str = "clock";
    const REMEDY: &str = "set the clock of this machine by NTP: tokens are dated by it";
    let says = format!("{} from the service's", duration(skew));
    if skew > HARMFUL_SKEW {
        report.wrong(ABOUT, says, REMEDY);
    } else if skew > HARMLESS_SKEW {
        report.warning(ABOUT, says, REMEDY);
    } else {
        report.ok(ABOUT, says);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_in_either_direction_and_by_how_much_matters() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (seconds, level) in [(2, "ok"), (90, "warning"), (301, "problem")] {
            let skew = Duration::from_secs(seconds);
            for theirs in [now - skew, now + skew] {
                assert_eq!(skew_from(theirs, now), skew);
            }
            let mut report = Report::new(false);
            clock(&mut report, skew);
            assert_eq!(report.document()["findings"][0]["level"], level);
        }
    }
}
