//! Every order of what two replicas, their lease and death can do, to the end.
//!
//! A model: the rules of the scripts of `RedisStore` and of a refresh by `TokenSource`, without either. What it
//! proves about the rules, `tests/redis` shows for the code in the cases that matter.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Tokens count up: what is configured is 0, and each refresh brings the next.
type Token = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Takes the free lease.
    Claim(usize),
    /// Reads the record: before asking, and once more after a refusal.
    Look(usize),
    /// The sign-in service carries the refresh out, or refuses it.
    Ask(usize),
    /// Writes the record and gives the lease back.
    Save(usize),
    /// The lease runs out, whether its owner is dead or only slow.
    Expire,
    /// The first replica is killed.
    Die,
}

/// How far a replica has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Claimed {
        fence: u32,
    },
    Looked {
        fence: u32,
        token: Token,
    },
    Refreshed {
        fence: u32,
        token: Token,
    },
    Refused {
        token: Token,
    },
    /// It has tokens that work.
    Served,
    /// It has told its callers that somebody must sign in.
    SignedOut,
    Killed,
}

/// With which fence the save script compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fencing {
    LastWritten,
    LastGranted,
    Nothing,
}

/// What becomes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotation {
    Revoke,
    Grace,
}

#[derive(Debug, Clone)]
struct World {
    fencing: Fencing,
    rotation: Rotation,
    // Redis.
    lease: Option<usize>,
    granted: u32,
    written: u32,
    stored: Token,
    // The sign-in service.
    good: Vec<Token>,
    issued: Token,
    // The replicas, and the token whose access token has expired for all of them.
    replicas: [Phase; 2],
    expired: Token,
    // What has happened.
    saves: Vec<(u32, Token)>,
    ran_out_early: bool,
    died_with_news: bool,
}

impl World {
    fn new(fencing: Fencing, rotation: Rotation) -> Self {
        Self {
            fencing,
            rotation,
            lease: None,
            granted: 0,
            written: 0,
            stored: 0,
            good: vec![0],
            issued: 0,
            replicas: [Phase::Idle; 2],
            expired: 0,
            saves: Vec::new(),
            ran_out_early: false,
            died_with_news: false,
        }
    }

    /// What can happen next.
    fn steps(&self) -> Vec<Step> {
        let of_replica = |(who, phase): (usize, &Phase)| match phase {
            Phase::Idle => self.lease.is_none().then_some(Step::Claim(who)),
            Phase::Claimed { .. } | Phase::Refused { .. } => Some(Step::Look(who)),
            Phase::Looked { .. } => Some(Step::Ask(who)),
            Phase::Refreshed { .. } => Some(Step::Save(who)),
            Phase::Served | Phase::SignedOut | Phase::Killed => None,
        };
        let mut steps: Vec<Step> = self
            .replicas
            .iter()
            .enumerate()
            .filter_map(of_replica)
            .collect();
        steps.extend(self.lease.map(|_| Step::Expire));
        let is_over = matches!(
            self.replicas[0],
            Phase::Served | Phase::SignedOut | Phase::Killed
        );
        steps.extend((!is_over).then_some(Step::Die));
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Claim(who) => {
                self.lease = Some(who);
                self.granted = self.granted.max(self.written) + 1;
                self.replicas[who] = Phase::Claimed {
                    fence: self.granted,
                };
            }
            Step::Look(who) => match self.replicas[who] {
                Phase::Claimed { fence } if self.stored == self.expired => {
                    let token = self.stored;
                    self.replicas[who] = Phase::Looked { fence, token };
                }
                Phase::Refused { token } if self.stored == token => self.end(who, Phase::SignedOut),
                _ => self.end(who, Phase::Served),
            },
            Step::Ask(who) => {
                let Phase::Looked { fence, token } = self.replicas[who] else {
                    unreachable!("it asks with what it has read");
                };
                self.replicas[who] = match self.refresh(token) {
                    Some(token) => Phase::Refreshed { fence, token },
                    None => Phase::Refused { token },
                };
            }
            Step::Save(who) => {
                let Phase::Refreshed { fence, token } = self.replicas[who] else {
                    unreachable!("it saves what it was given");
                };
                self.save(fence, token);
                self.end(who, Phase::Served);
            }
            Step::Expire => {
                let owner = self.lease.take().unwrap();
                self.ran_out_early |= self.replicas[owner] != Phase::Killed;
            }
            Step::Die => {
                self.died_with_news |= matches!(self.replicas[0], Phase::Refreshed { .. });
                self.replicas[0] = Phase::Killed;
            }
        }
    }

    fn refresh(&mut self, token: Token) -> Option<Token> {
        if !self.good.contains(&token) {
            return None;
        }
        self.issued += 1;
        if self.rotation == Rotation::Revoke {
            self.good.clear();
        }
        self.good.push(self.issued);
        Some(self.issued)
    }

    /// The script.
    fn save(&mut self, fence: u32, token: Token) {
        let least = match self.fencing {
            Fencing::LastWritten => self.written,
            Fencing::LastGranted => self.granted,
            Fencing::Nothing => 0,
        };
        if fence >= least {
            self.written = fence;
            self.stored = token;
            self.saves.push((fence, token));
        }
    }

    fn end(&mut self, who: usize, phase: Phase) {
        self.replicas[who] = phase;
        if self.lease == Some(who) {
            self.lease = None;
        }
    }

    /// What becomes of a replica that is started afterwards, when the access token has expired again.
    fn newcomer(&self) -> Phase {
        let mut later = self.clone();
        later.expired = later.stored;
        later.replicas = [Phase::Killed, Phase::Idle];
        while let [step, ..] = later.steps()[..] {
            later.take(step);
        }
        later.replicas[1]
    }
}

/// Takes every order of steps to its end and shows each end to `check`. Returns how many there are.
fn every_order(
    world: &World,
    so_far: &mut Vec<Step>,
    check: &mut impl FnMut(&World, &[Step]),
) -> u64 {
    let steps = world.steps();
    if steps.is_empty() {
        check(world, so_far);
        return 1;
    }
    let mut orders = 0;
    for step in steps {
        let mut next = world.clone();
        next.take(step);
        so_far.push(step);
        orders += every_order(&next, so_far, check);
        so_far.pop();
    }
    orders
}

fn check_all(fencing: Fencing, rotation: Rotation, mut check: impl FnMut(&World, &[Step])) -> u64 {
    every_order(&World::new(fencing, rotation), &mut Vec::new(), &mut check)
}

/// How many orders end without a good token in the record, although nobody has died with it.
fn losses(fencing: Fencing, rotation: Rotation) -> u64 {
    let mut losses = 0;
    check_all(fencing, rotation, |world, _| {
        let is_lost = !world.good.contains(&world.stored);
        losses += u64::from(is_lost && !world.died_with_news);
    });
    losses
}

#[test]
fn token_that_is_good_for_one_use_is_lost_only_with_the_process_that_held_it() {
    let orders = check_all(Fencing::LastWritten, Rotation::Revoke, |world, order| {
        assert_eq!(world.issued, 1, "refreshed once: {order:?}");
        if world.died_with_news {
            assert_eq!(
                world.newcomer(),
                Phase::SignedOut,
                "and it is reported: {order:?}"
            );
        } else {
            assert!(world.good.contains(&world.stored), "{order:?} {world:?}");
            assert_eq!(world.newcomer(), Phase::Served, "{order:?}");
        }
    });
    assert!(orders > 1000, "{orders}");
}

#[test]
fn newest_claim_that_has_written_wins_where_the_service_is_lenient() {
    let orders = check_all(Fencing::LastWritten, Rotation::Grace, |world, order| {
        assert_eq!(world.newcomer(), Phase::Served, "{order:?}");
        let newest = world.saves.iter().max_by_key(|(fence, _)| *fence);
        let stored = newest.map_or(0, |(_, token)| *token);
        assert_eq!(world.stored, stored, "{order:?} {world:?}");
    });
    assert!(orders > 1000, "{orders}");
}

#[test]
fn lease_that_does_not_run_out_early_means_one_refresh_and_no_refusal() {
    for rotation in [Rotation::Revoke, Rotation::Grace] {
        check_all(Fencing::LastWritten, rotation, |world, order| {
            if world.ran_out_early {
                return;
            }
            let is_served = |phase: &Phase| matches!(phase, Phase::Served | Phase::Killed);
            if !world.died_with_news {
                assert_eq!(world.issued, 1, "{order:?}");
                assert!(world.replicas.iter().all(is_served), "{order:?} {world:?}");
            }
        });
    }
}

#[test]
fn model_is_sharp_enough_to_tell_the_rules_apart() {
    assert_eq!(losses(Fencing::LastWritten, Rotation::Revoke), 0);
    assert!(losses(Fencing::LastGranted, Rotation::Revoke) > 0);
    let mut replaced = 0;
    check_all(Fencing::Nothing, Rotation::Grace, |world, _| {
        replaced += u64::from(!world.saves.is_sorted());
    });
    assert!(replaced > 0);
}
