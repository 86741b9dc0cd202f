//! What runs add up to.

use std::fmt;
use std::time::Duration;

/// Counts of one run, or of many.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Runs.
    pub seeds: u64,
    /// Virtual time.
    pub time: Duration,
    /// Access tokens handed out to requests.
    pub served: u64,
    /// Access tokens that expired or were about to.
    pub refreshes: u64,
    /// Questions to the sign-in service with a token that was spent, each excused.
    pub second_refreshes: u64,
    /// Rotations that no living replica learned of: the answer was lost, or the one who had it was killed.
    pub lost_to_faults: u64,
    /// Requests let in at limits, and those refused.
    pub let_in: u64,
    /// See there.
    pub refused: u64,
    /// Let in by replicas that did not reach the store.
    pub let_in_alone: u64,
    /// The worst excess over a rate, in parts of the limit.
    pub worst_rate: f64,
    /// The same where a cut lasted longer than a gateway is remembered.
    pub worst_rate_long: f64,
    /// The worst excess over places, in parts of them, among exchanges that began after the last change.
    pub worst_places: f64,
    /// The same where a cut lasted longer than a gateway is remembered.
    pub worst_places_long: f64,
    /// Among all.
    pub worst_places_ever: f64,
    /// Replicas that were cut off.
    pub cuts: u64,
    /// Processes that were stopped for a while.
    pub stops: u64,
    /// Processes that were killed, and started again.
    pub kills: u64,
}

impl Figures {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.time += other.time;
        self.served += other.served;
        self.refreshes += other.refreshes;
        self.second_refreshes += other.second_refreshes;
        self.lost_to_faults += other.lost_to_faults;
        self.let_in += other.let_in;
        self.refused += other.refused;
        self.let_in_alone += other.let_in_alone;
        self.worst_rate = self.worst_rate.max(other.worst_rate);
        self.worst_rate_long = self.worst_rate_long.max(other.worst_rate_long);
        self.worst_places_long = self.worst_places_long.max(other.worst_places_long);
        self.worst_places_ever = self.worst_places_ever.max(other.worst_places_ever);
        self.worst_places = self.worst_places.max(other.worst_places);
        self.cuts += other.cuts;
        self.stops += other.stops;
        self.kills += other.kills;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seeds                  {:>12}", self.seeds)?;
        writeln!(
            f,
            "virtual hours          {:>12}",
            self.time.as_secs() / 3600
        )?;
        writeln!(
            f,
            "cuts, stops, kills     {:>12} {} {}",
            self.cuts, self.stops, self.kills
        )?;
        writeln!(f, "tokens handed out      {:>12}", self.served)?;
        writeln!(f, "refreshes              {:>12}", self.refreshes)?;
        writeln!(f, "excused second ones    {:>12}", self.second_refreshes)?;
        writeln!(
            f,
            "rotations lost with their replica or answer {}",
            self.lost_to_faults
        )?;
        writeln!(
            f,
            "let in, refused        {:>12} {}",
            self.let_in, self.refused
        )?;
        writeln!(f, "let in alone           {:>12}", self.let_in_alone)?;
        writeln!(
            f,
            "worst over a rate      {:>11.1}%",
            self.worst_rate * 100.0
        )?;
        writeln!(
            f,
            "  in long cuts         {:>11.1}%",
            self.worst_rate_long * 100.0
        )?;
        writeln!(
            f,
            "worst over places      {:>11.1}%",
            self.worst_places * 100.0
        )?;
        writeln!(
            f,
            "  in long cuts         {:>11.1}%",
            self.worst_places_long * 100.0
        )?;
        write!(
            f,
            "  right after a change {:>11.1}%",
            self.worst_places_ever * 100.0
        )
    }
}
