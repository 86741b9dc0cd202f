//! Programs that share one credential, through any order of events, and the promises that hold throughout.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kiro_auth::{
    AccessToken, AuthError, AuthErrorKind, Clock, Credential, CredentialStore, ManualClock,
    TokenSource,
};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::{HOUR, MINUTE, SECOND, SignInService, TestStore, stored};

/// How long before its end an access token may be refreshed: ten minutes and two of jitter.
const LONGEST_EARLY: Duration = Duration::from_secs(12 * 60);

/// Something that happens. A number names the program to which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The clock moves, by minutes.
    Time(u32),
    /// Somebody asks for a token …
    Call(usize),
    /// … and the one who has waited longest leaves.
    Leave(usize),
    /// The service answers its visitor.
    Answer,
    /// The store finishes a save.
    FinishSave,
    /// The upstream refuses the token that was served last.
    Reject(usize),
    /// The upstream accepts it.
    Confirm(usize),
    /// The next visit to the service fails.
    ServiceFails,
    /// The next saves fail.
    SavesFail,
    /// The IDE signs in anew: the service forgets what it has issued …
    SomebodySignsIn,
    /// … and the store changes.
    SignInIsWritten,
    /// The program is killed and started again.
    Die(usize),
}

impl Step {
    /// The program to which it happens, if it happens to one.
    pub(crate) fn program(self) -> Option<usize> {
        match self {
            Self::Call(program)
            | Self::Leave(program)
            | Self::Reject(program)
            | Self::Confirm(program)
            | Self::Die(program) => Some(program),
            _ => None,
        }
    }
}

/// A service that rotates and revokes at once, a store whose claim is exclusive, and the programs.
pub(crate) struct World {
    clock: ManualClock,
    service: Arc<SignInService>,
    store: Arc<TestStore>,
    programs: Vec<Program>,
    sign_ins: u32,
    /// A sign-in that has not been written yet.
    unwritten: Option<Credential>,
    /// Until when the upstream really accepts an access token. We believe a little less, since we count
    /// from the question and the service from its answer.
    good_until: HashMap<String, SystemTime>,
    /// Access tokens that the store has held at some time.
    kept: HashSet<String>,
    /// Whether anything has failed, so that callers may fail too.
    has_faults: bool,
    /// Whether a save has failed, so that the store may be behind.
    saves_fail: bool,
    /// Programs that have been started. Each may find out for itself that a refresh token is dead, once.
    n_started: usize,
    n_visits: usize,
    /// Visits with a dead refresh token.
    n_dead_shown: usize,
    /// Visits that were refused.
    n_refused: usize,
    /// What has happened, for a failing test to tell.
    taken: Vec<Step>,
}

/// It has a runtime of its own, so that whatever it was doing dies with it.
struct Program {
    runtime: Runtime,
    source: TokenSource,
    callers: VecDeque<JoinHandle<Result<AccessToken, AuthError>>>,
    served: Option<AccessToken>,
    rejected: HashSet<String>,
}

impl Program {
    fn start(source: TokenSource) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        Self {
            runtime,
            source,
            callers: VecDeque::new(),
            served: None,
            rejected: HashSet::new(),
        }
    }

    fn call(&mut self) {
        let source = self.source.clone();
        let caller = self.runtime.spawn(async move { source.token().await });
        self.callers.push_back(caller);
    }

    /// Lets every task run until it waits for something. The runtime's clock is paused: it jumps ahead when
    /// nothing else is left to do, and not before.
    fn come_to_rest(&self) {
        self.idle(SECOND / 1000);
    }

    fn idle(&self, time: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(time).await });
    }
}

impl World {
    /// The store holds `access-0`, with an hour to live, and `refresh-0`, which the service accepts.
    pub(crate) fn with_programs(n_programs: usize) -> Self {
        let clock = ManualClock::new();
        let expires_at = clock.now() + HOUR;
        let credential = stored("access-0", "refresh-0", Some(expires_at));
        let service = Arc::new(SignInService::that_hesitates("refresh-0"));
        let store = Arc::new(TestStore::that_saves_slowly(credential));
        let mut world = Self {
            clock,
            service,
            store,
            programs: Vec::new(),
            sign_ins: 0,
            unwritten: None,
            good_until: HashMap::from([("access-0".to_owned(), expires_at)]),
            kept: HashSet::from(["access-0".to_owned()]),
            has_faults: false,
            saves_fail: false,
            n_started: n_programs,
            n_visits: 0,
            n_dead_shown: 0,
            n_refused: 0,
            taken: Vec::new(),
        };
        world.programs = (0..n_programs)
            .map(|_| Program::start(world.source()))
            .collect();
        world
    }

    fn source(&self) -> TokenSource {
        let clock = Arc::new(self.clock.clone());
        TokenSource::new(self.store.clone(), self.service.clone(), clock)
    }

    /// Callers of this program who wait.
    pub(crate) fn n_waiting(&self, program: usize) -> usize {
        self.programs[program].callers.len()
    }

    /// Whether it can happen at all.
    pub(crate) fn can(&self, step: Step) -> bool {
        match step {
            // No save takes hours, so none has to be prepared for a token that expires in it.
            Step::Time(_) => !self.store.is_saving(),
            Step::Leave(program) => !self.programs[program].callers.is_empty(),
            Step::Answer => self.service.is_visited(),
            Step::FinishSave => self.store.is_saving(),
            Step::Reject(program) => {
                let program = &self.programs[program];
                let served = program.served.as_ref();
                served.is_some_and(|token| !program.rejected.contains(token.secret().expose()))
            }
            Step::Confirm(program) => self.programs[program].served.is_some(),
            Step::SomebodySignsIn => self.unwritten.is_none(),
            // Two programs that write one file in the same instant, without a lock that both know,
            // overwrite each other whatever we do.
            Step::SignInIsWritten => self.unwritten.is_some() && !self.store.is_saving(),
            // What the service has answered and nobody has written dies with its only holder.
            Step::Die(_) => !self.store.is_saving(),
            Step::Call(_) | Step::ServiceFails | Step::SavesFail => true,
        }
    }

    /// Lets it happen, and everything that follows from it.
    pub(crate) fn take(&mut self, step: Step) {
        self.taken.push(step);
        self.happen(step);
        match step {
            Step::Call(program) | Step::Leave(program) => self.programs[program].come_to_rest(),
            Step::Answer | Step::FinishSave | Step::Die(_) => self.come_to_rest(),
            // No task notices before somebody calls.
            _ => {}
        }
        self.check();
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Time(minutes) => self.clock.advance(MINUTE * minutes),
            Step::Call(program) => self.programs[program].call(),
            Step::Leave(program) => {
                let caller = self.programs[program].callers.pop_front();
                caller.unwrap().abort();
            }
            Step::Answer => self.service.answer_one(),
            Step::FinishSave => self.store.finish_save(),
            Step::Reject(program) => {
                let program = &mut self.programs[program];
                let served = program.served.as_ref().unwrap();
                program.source.reject(served.generation());
                // The second one in a row may be answered with an error.
                self.has_faults |= !program.rejected.is_empty();
                program.rejected.insert(served.secret().expose().to_owned());
            }
            Step::Confirm(program) => {
                let program = &self.programs[program];
                let served = program.served.as_ref().unwrap();
                program.source.confirm(served.generation());
            }
            Step::ServiceFails => {
                self.has_faults = true;
                self.service.fails_next(AuthErrorKind::Transient);
            }
            Step::SavesFail => {
                self.has_faults = true;
                self.saves_fail = true;
                self.store.fails_to_save(2);
            }
            Step::SomebodySignsIn => self.somebody_signs_in(),
            Step::SignInIsWritten => self.store.memory.replace(self.unwritten.take().unwrap()),
            Step::Die(program) => {
                self.n_started += 1;
                self.programs[program] = Program::start(self.source());
            }
        }
    }

    fn somebody_signs_in(&mut self) {
        self.sign_ins += 1;
        let refresh = format!("refresh-of-sign-in-{}", self.sign_ins);
        let access = format!("access-of-sign-in-{}", self.sign_ins);
        self.service.accepts_only(&refresh);
        let expires_at = self.clock.now() + HOUR;
        self.unwritten = Some(stored(&access, &refresh, Some(expires_at)));
        self.good_until.insert(access, expires_at);
    }

    /// Lets every program come to rest, once more for each that may wait for another.
    fn come_to_rest(&self) {
        for _ in 0..self.programs.len() {
            self.programs.iter().for_each(Program::come_to_rest);
        }
    }

    fn check(&mut self) {
        for issued in self.service.issued() {
            let expires_at = self.clock.now() + HOUR;
            self.good_until.entry(issued).or_insert(expires_at);
        }
        let held = self.programs[0].runtime.block_on(self.store.memory.load());
        let held = held.unwrap();
        self.check_needed(&held);
        self.kept
            .insert(held.access_token.unwrap().expose().to_owned());
        self.check_shown();
        for program in 0..self.programs.len() {
            self.check_served(program);
        }
    }

    /// Nobody refreshes while the store holds an access token that will do. A visitor still waits for the
    /// answer, so the store is as it was when the visit began.
    fn check_needed(&mut self, held: &Credential) {
        let visits = self.service.visits();
        let is_visited_anew = visits > self.n_visits;
        self.n_visits = visits;
        let is_fresh = held.expires_at.unwrap() > self.clock.now() + LONGEST_EARLY;
        let token = held.access_token.as_ref().unwrap().expose();
        let is_rejected = self.programs.iter().any(|one| one.rejected.contains(token));
        assert!(
            !is_visited_anew || !is_fresh || is_rejected || self.saves_fail,
            "refreshed for nothing"
        );
    }

    /// A dead refresh token is shown only while no better one can be found, and not again by the same program
    /// once it was refused.
    fn check_shown(&mut self) {
        let dead = self.service.dead_tokens_shown();
        assert!(
            dead == self.n_dead_shown || self.unwritten.is_some(),
            "asked with a dead token though the store had a good one"
        );
        self.n_dead_shown = dead;
        let refused = self.service.refused();
        // Who is refused after a sign-in has been written finds it, and its callers notice nothing.
        self.has_faults |= refused.len() > self.n_refused && self.unwritten.is_some();
        self.n_refused = refused.len();
        for token in &refused {
            let times = refused.iter().filter(|other| *other == token).count();
            assert!(times <= self.n_started, "asked again with a dead token");
        }
    }

    /// What callers received since the last step can be used, and would not be lost with the program.
    fn check_served(&mut self, program: usize) {
        let program = &mut self.programs[program];
        for _ in 0..program.callers.len() {
            let caller = program.callers.pop_front().unwrap();
            if !caller.is_finished() {
                program.callers.push_back(caller);
                continue;
            }
            let token = match program.runtime.block_on(caller).unwrap() {
                Ok(token) => token,
                Err(_) if self.has_faults => continue,
                Err(error) => panic!("nothing has failed, but a caller got {error:?}"),
            };
            let secret = token.secret().expose();
            assert!(
                self.good_until[secret] > self.clock.now(),
                "served an expired token"
            );
            assert!(
                !program.rejected.contains(secret),
                "served a rejected token"
            );
            assert!(
                self.saves_fail || self.kept.contains(secret),
                "served a token that is not in the store"
            );
            program.served = Some(token);
        }
    }

    /// When the storm is over, every program has a token, and a restart would find the good refresh token.
    pub(crate) fn calm_down(mut self) {
        if self.unwritten.is_some() {
            self.finish_what_is_under_way();
            self.take(Step::SignInIsWritten);
        }
        self.service.recovers();
        self.store.fails_to_save(0);
        self.finish_what_is_under_way();
        self.clock.advance(2 * HOUR);
        for program in 0..self.programs.len() {
            self.take(Step::Call(program));
        }
        self.finish_what_is_under_way();
        for program in &self.programs {
            let token = program.source.current().unwrap();
            let good_until = self.good_until[token.secret().expose()];
            assert!(good_until > self.clock.now(), "somebody has no good token");
        }
        let kept = self.programs[0]
            .runtime
            .block_on(self.store.refresh_token());
        assert_eq!(kept, self.service.good_token());
    }

    fn finish_what_is_under_way(&mut self) {
        for _ in 0..4 * self.programs.len() {
            for step in [Step::Answer, Step::FinishSave] {
                if self.can(step) {
                    self.take(step);
                }
            }
            // Late saves wait on the runtime's clock.
            if self.has_faults {
                self.programs
                    .iter()
                    .for_each(|program| program.idle(300 * SECOND));
            }
        }
        for program in 0..self.programs.len() {
            assert_eq!(self.n_waiting(program), 0, "somebody is still waiting");
        }
    }
}

impl Drop for World {
    #[allow(clippy::print_stdout, reason = "a failing test tells what led to it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("what had happened: {:?}", self.taken);
        }
    }
}
