//! How the cost of a request grows with what it holds: a straight line, or there is a knee.

use std::time::Duration;

use super::contestant::{Place, Server, Service, Surface, upstream_request};
use super::plan::Plan;
use super::plot::{Curve, Plot};
use super::report::{Line, Report};
use super::turn::{Load, When};
use crate::Failure;
use crate::conversation;
use crate::figure::Figure;
use crate::stats::median;

const ROUNDS: usize = 3;
const TURN: Duration = Duration::from_millis(400);

/// Bytes of a message of the history. Agents' are about as long in the mean.
const MESSAGE: usize = 1_000;

pub(super) fn run(place: &Place, report: &mut Report) -> Result<(), Failure> {
    let sizes = [1, 4, 16, 64, 256, 1024, 4096];
    let histories = sizes.map(|kilobytes| {
        (
            kilobytes as f64,
            conversation::history(kilobytes, MESSAGE),
            Vec::new(),
        )
    });
    plot(place, report, "history", "kB of history", &histories)?;
    let counts = [1, 10, 50, 100, 200, 350, 500];
    let tools = counts.map(|count| {
        (
            count as f64,
            Vec::new(),
            conversation::tools(count, MESSAGE),
        )
    });
    plot(place, report, "tools", "tools", &tools)
}

type Size = (f64, Vec<serde_json::Value>, Vec<serde_json::Value>);

fn plot(
    place: &Place,
    report: &mut Report,
    name: &'static str,
    axis: &'static str,
    sizes: &[Size],
) -> Result<(), Failure> {
    let service = place.service()?;
    let servers = [Server::Gateway, Server::Pooled];
    let mut curves = servers.map(|server| Curve {
        name: server.name(),
        points: Vec::new(),
    });
    for (size, history, tools) in sizes {
        for (curve, micros) in curves
            .iter_mut()
            .zip(cost(place, &service, history, tools)?)
        {
            curve.points.push((*size, micros));
        }
    }
    // The last doubling may not cost more for each unit than the mean of those before: a knee bends upwards.
    let points = &curves[0].points;
    let slope = |from: usize, to: usize| {
        let ((x, y), (later_x, later_y)) = (points[from], points[to]);
        (later_y - y) / (later_x - x)
    };
    let last = points.len() - 1;
    report.add(Line {
        goal: "point 4",
        figure: Figure::alone(
            format!("growth_{name}_last_slope_to_mean"),
            slope(last - 1, last) / slope(0, last - 1),
            "×",
        ),
        at_most: Some(1.25),
    });
    for (size, micros) in points {
        report.add(Line {
            goal: "point 4",
            figure: Figure::alone(format!("growth_{name}_{size}"), *micros, "µs"),
            at_most: None,
        });
    }
    report.plot(Plot {
        name,
        axis,
        curves: curves.into(),
    });
    Ok(())
}

/// Microseconds of processor time of a request, for each server.
fn cost(
    place: &Place,
    service: &Service,
    history: &[serde_json::Value],
    tools: &[serde_json::Value],
) -> Result<[f64; 2], Failure> {
    let plan = Plan::burst(1, 20);
    let body = conversation::request(history.to_vec(), tools.to_vec(), &plan.question());
    let question = Surface::Chat.request(&body);
    let gateway = place.start(Server::Gateway, service)?;
    let pooled = place.start(Server::Pooled, service)?;
    let passed_on = upstream_request(&gateway, service, &question, plan)?;
    let mut values = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (values, (contestant, request)) in values
            .iter_mut()
            .zip([(&gateway, &question), (&pooled, &passed_on)])
        {
            let load = Load {
                request,
                plan,
                connections: 1,
                when: When::AtOnce(TURN),
            };
            values.push(load.turn(contestant, false)?.cpu / 1e3);
        }
    }
    Ok(values.map(median))
}
