//! Goals of time: processor time per event and per request, transit, first tokens, connections, capacity.

use std::time::Duration;

use super::contestant::{Contestant, Place, Server, Service, Surface, upstream_request};
use super::plan::Plan;
use super::report::{Line, Report};
use super::turn::{Load, Turn, When};
use crate::Failure;
use crate::conversation;
use crate::figure::Figure;
use crate::rounds::Samples;

/// The first is measured, the last is the same once more, and nothing counts where the two disagree.
const CONTESTANTS: [Server; 5] = [
    Server::Gateway,
    Server::Pooled,
    Server::Inline,
    Server::Nginx,
    Server::Gateway,
];

/// Rounds that count; one before them warms up.
const ROUNDS: usize = 7;

/// A quantity, and what it should be at most, as a multiple of each server's.
struct Measure {
    goal: &'static str,
    name: &'static str,
    unit: &'static str,
    value: fn(&Turn) -> f64,
    at_most: &'static [(Server, f64)],
}

const MICROSECONDS: f64 = 1e3;

/// Servers that run, and a service for them.
struct Field<'a> {
    contestants: Vec<Contestant>,
    service: Service,
    suffix: &'static str,
    seconds: u64,
    report: &'a mut Report,
}

/// Measures all of it, once for each place.
pub(super) fn run(place: &Place, seconds: u64, report: &mut Report) -> Result<(), Failure> {
    let service = place.service()?;
    let contestants = CONTESTANTS
        .iter()
        .map(|server| place.start(*server, &service))
        .collect::<Result<Vec<_>, _>>()?;
    let suffix = if place.identity.is_some() {
        "tls"
    } else {
        "plain"
    };
    let mut field = Field {
        contestants,
        service,
        suffix,
        seconds,
        report,
    };
    field.full_speed()?;
    field.paced()?;
    field.transit()?;
    field.first_token()?;
    field.requests()?;
    field.capacity()
}

impl Field<'_> {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Section 4: streams of 100 events, as fast as they go.
    fn full_speed(&mut self) -> Result<(), Failure> {
        let plan = Plan::burst(100, 20);
        let when = When::AtOnce(self.time());
        let measures = [
            Measure {
                goal: "section 4",
                name: "full_speed_cpu_per_event",
                unit: "µs",
                value: |turn| turn.cpu / MICROSECONDS,
                at_most: &[(Server::Pooled, 0.55), (Server::Inline, 2.2)],
            },
            Measure {
                goal: "section 4",
                name: "full_speed_whole_stream_p50",
                unit: "µs",
                value: |turn| turn.whole.p50 / MICROSECONDS,
                at_most: &[(Server::Inline, 1.5)],
            },
            Measure {
                goal: "G11",
                name: "full_speed_events",
                unit: "1/s",
                value: |turn| turn.rate,
                at_most: &[],
            },
        ];
        self.measure(
            Surface::Chat.question(plan),
            plan,
            16,
            when,
            true,
            &measures,
        )
    }

    /// G1: 200 streams of 50 events a second, three times as long as other turns: a request costs as much as five events.
    fn paced(&mut self) -> Result<(), Failure> {
        let period = Duration::from_millis(20);
        let plan = Plan::paced(3 * 50 * self.seconds as usize, period);
        let measures = [
            Measure {
                goal: "G1",
                name: "paced_cpu_per_event",
                unit: "µs",
                value: |turn| turn.cpu / MICROSECONDS,
                at_most: &[(Server::Pooled, 1.10), (Server::Nginx, 1.10)],
            },
            Measure {
                goal: "–",
                name: "paced_transit_p99",
                unit: "µs",
                value: |turn| turn.transit.p99 / MICROSECONDS,
                at_most: &[],
            },
        ];
        self.measure(
            Surface::Chat.question(plan),
            plan,
            200,
            When::Reused,
            true,
            &measures,
        )
    }

    /// G3: one event every 3 ms, on connections that were used before and on new ones.
    fn transit(&mut self) -> Result<(), Failure> {
        let plan = Plan::paced(330 * self.seconds as usize, Duration::from_millis(3));
        let question = Surface::Chat.question(plan);
        let transit = |name, at_most| Measure {
            goal: "G3",
            name,
            unit: "µs",
            value: |turn| turn.transit.p50 / MICROSECONDS,
            at_most,
        };
        let reused = [transit("transit_reused_p50", &[(Server::Pooled, 1.25)])];
        self.measure(question.clone(), plan, 4, When::Reused, true, &reused)?;
        let fresh = [transit("transit_fresh_p50", &[])];
        self.measure(question, plan, 4, When::Fresh, true, &fresh)
    }

    /// G4: the first byte of an answer, one request at a time.
    fn first_token(&mut self) -> Result<(), Failure> {
        let plan = Plan::burst(1, 20);
        let when = When::AtOnce(self.time());
        let measures = [
            Measure {
                goal: "G4",
                name: "first_token_p50",
                unit: "µs",
                value: |turn| turn.first.p50 / MICROSECONDS,
                at_most: &[(Server::Pooled, 1.3)],
            },
            Measure {
                goal: "G4",
                name: "first_token_p99",
                unit: "µs",
                value: |turn| turn.first.p99 / MICROSECONDS,
                at_most: &[],
            },
        ];
        self.measure(
            Surface::Chat.question(plan),
            plan,
            1,
            when,
            false,
            &measures,
        )
    }

    /// G5, G6 and G10: requests of 1 kB by a timetable of strangers, and an agent's of 400 kB.
    fn requests(&mut self) -> Result<(), Failure> {
        let plan = Plan::burst(1, 20);
        let cpu = |goal, name, at_most| Measure {
            goal,
            name,
            unit: "µs",
            value: |turn| turn.cpu / MICROSECONDS,
            at_most,
        };
        let question = plan.question();
        let small = format!("{} {question}", conversation::said(0, 900));
        let small = conversation::request(Vec::new(), Vec::new(), &small);
        let when = When::Random {
            per_second: 1_000.0,
            time: self.time(),
        };
        let measures = [
            cpu("G5", "small_request_cpu", &[(Server::Pooled, 1.8)]),
            Measure {
                goal: "–",
                name: "small_request_p99",
                unit: "µs",
                value: |turn| turn.whole.p99 / MICROSECONDS,
                at_most: &[],
            },
        ];
        self.connections(&Surface::Chat.request(&small), plan)?;
        self.measure(
            Surface::Chat.request(&small),
            plan,
            50,
            when,
            false,
            &measures,
        )?;
        let agent = conversation::agent(&question);
        let when = When::AtOnce(self.time());
        let measures = [cpu("G6", "agent_request_cpu", &[(Server::Pooled, 2.0)])];
        self.measure(
            Surface::Chat.request(&agent),
            plan,
            4,
            when,
            false,
            &measures,
        )
    }

    /// G10: connections to the service for 1000 requests, after warm-up, 50 at the same time.
    fn connections(&mut self, request: &[u8], plan: Plan) -> Result<(), Failure> {
        let when = When::AtOnce(self.time());
        let load = Load {
            request,
            plan,
            connections: 50,
            when,
        };
        // Until all of them were at the service at the same time.
        for _ in 0..3 {
            load.turn(&self.contestants[0], false)?;
        }
        let before = self.service.counts()?.connections;
        let turn = load.turn(&self.contestants[0], false)?;
        // Each look at the counts is a connection of our own.
        let opened = self
            .service
            .counts()?
            .connections
            .saturating_sub(before + 1);
        let value = opened as f64 * 1000.0 / (turn.rate * self.seconds as f64);
        self.report.add(Line {
            goal: "G10",
            figure: Figure::alone(
                format!("upstream_connections_per_1000_{}", self.suffix),
                value,
                "1",
            ),
            at_most: Some(1.0),
        });
        Ok(())
    }

    /// G11: the most events a second whose transit stays below 5 ms for 99 % of them, on one processor, in two turns of
    /// three.
    fn capacity(&mut self) -> Result<(), Failure> {
        let mut most = [0.0; 2];
        for (at, most) in most.iter_mut().enumerate() {
            for rate in [
                10_000, 15_000, 20_000, 25_000, 30_000, 40_000, 50_000, 60_000, 80_000_u64,
            ] {
                let period = Duration::from_micros(200 * 1_000_000 / rate);
                let plan = Plan::paced((3 * self.seconds * rate / 200) as usize, period);
                let question = Surface::Chat.question(plan);
                let request = self.request_to(at, &question, plan)?;
                let load = Load {
                    request: &request,
                    plan,
                    connections: 200,
                    when: When::Reused,
                };
                let turns = (0..3)
                    .map(|_| load.turn(&self.contestants[at], true))
                    .collect::<Result<Vec<_>, _>>()?;
                let quick = turns.iter().filter(|turn| turn.transit.p99 <= 5e6);
                if quick.clone().count() < 2 {
                    break;
                }
                *most = quick.map(|turn| turn.rate).fold(0.0, f64::max);
            }
        }
        let figure = Figure {
            reference: Some(most[1]),
            ratio: Some(most[0] / most[1]),
            against: Server::Pooled.name(),
            ..Figure::alone(format!("events_below_5_ms_{}", self.suffix), most[0], "1/s")
        };
        self.report.add(Line {
            goal: "G11",
            figure,
            at_most: None,
        });
        Ok(())
    }

    /// The request that gets the same answer from a contestant.
    fn request_to(&self, at: usize, question: &[u8], plan: Plan) -> Result<Vec<u8>, Failure> {
        if self.contestants[at].server == Server::Gateway {
            return Ok(question.to_vec());
        }
        // A paced answer takes its time, and the question is all that is wanted.
        let short = Plan { events: 1, ..plan };
        let asked = super::turn::replace(question, &plan.question(), &short.question());
        let request = upstream_request(&self.contestants[0], &self.service, &asked, short)?;
        Ok(super::turn::replace(
            &request,
            &short.question(),
            &plan.question(),
        ))
    }

    fn measure(
        &mut self,
        question: Vec<u8>,
        plan: Plan,
        connections: usize,
        when: When,
        per_event: bool,
        measures: &[Measure],
    ) -> Result<(), Failure> {
        let requests = (0..self.contestants.len())
            .map(|at| self.request_to(at, &question, plan))
            .collect::<Result<Vec<_>, _>>()?;
        let first = measures[0].value;
        self.service.counts()?;
        let (samples, same) = Samples::take_agreeing(ROUNDS, CONTESTANTS.len(), first, |at| {
            let load = Load {
                request: &requests[at],
                plan,
                connections,
                when,
            };
            load.turn(&self.contestants[at], per_event)
        })?;
        let name = format!("{}_{}", measures[0].name, self.suffix);
        if plan.is_paced() {
            self.report.slip(&name, self.service.counts()?.slip);
        }
        self.report.same(&name, same);
        for measure in measures {
            self.compare(&samples, measure);
        }
        Ok(())
    }

    fn compare(&mut self, samples: &Samples<Turn>, measure: &Measure) {
        for (at, server) in CONTESTANTS[..CONTESTANTS.len() - 1]
            .iter()
            .enumerate()
            .skip(1)
        {
            let ratio = samples.ratio(0, at, measure.value);
            let figure = Figure {
                name: format!("{}_{}_vs_{}", measure.name, self.suffix, server.slug()),
                value: samples.median(0, measure.value),
                unit: measure.unit,
                reference: Some(samples.median(at, measure.value)),
                ratio: Some(ratio.median),
                deviation: Some(ratio.deviation),
                against: server.name(),
            };
            let at_most = measure.at_most.iter().find(|(of, _)| of == server);
            let at_most = at_most.map(|(_, most)| *most);
            self.report.add(Line {
                goal: measure.goal,
                figure,
                at_most,
            });
        }
    }
}
