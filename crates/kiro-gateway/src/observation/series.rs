//! What was counted lately, in cells of a fixed length of time.

use std::time::Duration;

use crate::telemetry::Ending;
use crate::usage::Consumed;

/// What happened within one length of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cell {
    /// Exchanges that ended.
    pub(crate) ended: u32,
    /// Of these, those that failed.
    pub(crate) failed: u32,
    /// Of these, those that were left by their downstream.
    pub(crate) cancelled: u32,
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) credits: f64,
    pub(crate) first_events: Spread,
}

/// How long first events took: how many came within which time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spread([u32; BOUNDS.len()]);

/// Upper bounds in milliseconds, each about a third more than the one before: fine enough for a chart. What
/// takes longer is in the last.
const BOUNDS: [u32; 24] = [
    10, 20, 50, 100, 150, 200, 300, 400, 500, 700, 1_000, 1_300, 1_700, 2_300, 3_000, 4_000, 5_500,
    7_500, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000,
];

/// Cells one after the other, of which the oldest are forgotten.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// The one of time `n` is at `n` modulo their number.
    cells: Box<[Cell]>,
    /// Of one cell, in seconds.
    length: u64,
    /// The time of the newest, in lengths.
    newest: u64,
}

/// What one exchange adds to a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addition {
    pub(super) ending: Ending,
    pub(super) first_event: Option<Duration>,
    pub(super) consumed: Option<Consumed>,
}

impl Series {
    /// `count` cells, each of so many seconds.
    pub(crate) fn new(count: usize, length: u64) -> Self {
        Self {
            cells: vec![Cell::default(); count.max(1)].into(),
            length: length.max(1),
            newest: 0,
        }
    }

    pub(super) fn add(&mut self, second: u64, addition: &Addition) {
        self.advance(second);
        let at = self.index(self.newest);
        self.cells[at].add(addition);
    }

    /// The time of the newest cell in lengths, and all cells, the oldest first.
    pub(crate) fn at(&mut self, second: u64) -> (u64, impl Iterator<Item = &Cell>) {
        self.advance(second);
        let first = self.index(self.newest + 1);
        let (newer, older) = self.cells.split_at(first);
        (self.newest, older.iter().chain(newer))
    }

    /// All cells together.
    pub(crate) fn sum(&mut self, second: u64) -> Cell {
        let (_, cells) = self.at(second);
        cells.fold(Cell::default(), |sum, cell| sum.with(cell))
    }

    /// Empties the cells whose time has come since.
    fn advance(&mut self, second: u64) {
        let now = second / self.length;
        let n_cells = self.cells.len() as u64;
        let passed = now.saturating_sub(self.newest).min(n_cells);
        for step in 0..passed {
            let at = self.index(now - step);
            self.cells[at] = Cell::default();
        }
        self.newest = self.newest.max(now);
    }

    fn index(&self, time: u64) -> usize {
        // The remainder is less than a length.
        (time % self.cells.len() as u64) as usize
    }
}

impl Cell {
    fn add(&mut self, addition: &Addition) {
        self.ended += 1;
        self.failed += u32::from(addition.ending == Ending::Failed);
        self.cancelled += u32::from(addition.ending == Ending::Cancelled);
        if let Some(consumed) = &addition.consumed {
            self.prompt_tokens += consumed.prompt;
            self.output_tokens += consumed.output;
            self.credits += consumed.credits.unwrap_or_default();
        }
        if let Some(first_event) = addition.first_event {
            self.first_events.add(first_event);
        }
    }

    fn with(mut self, other: &Self) -> Self {
        self.ended += other.ended;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.prompt_tokens += other.prompt_tokens;
        self.output_tokens += other.output_tokens;
        self.credits += other.credits;
        for (sum, more) in self.first_events.0.iter_mut().zip(other.first_events.0) {
            *sum += more;
        }
        self
    }
}

impl Spread {
    fn add(&mut self, time: Duration) {
        let milliseconds = time.as_millis();
        let fits = BOUNDS
            .iter()
            .position(|bound| milliseconds <= u128::from(*bound));
        self.0[fits.unwrap_or(BOUNDS.len() - 1)] += 1;
    }

    /// The time in milliseconds within which this share of them came, at most a third too long.
    pub(crate) fn quantile(&self, share: f64) -> Option<u32> {
        let count: u32 = self.0.iter().sum();
        let wanted = (f64::from(count) * share).ceil();
        let mut sum = 0;
        let found = self.0.iter().position(|count| {
            sum += count;
            sum > 0 && f64::from(sum) >= wanted
        });
        found.map(|at| BOUNDS[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addition(milliseconds: u64) -> Addition {
        Addition {
            ending: Ending::Complete,
            first_event: Some(Duration::from_millis(milliseconds)),
            consumed: None,
        }
    }

    fn ended(series: &mut Series, second: u64) -> (u64, Vec<u32>) {
        let (newest, cells) = series.at(second);
        (newest, cells.map(|cell| cell.ended).collect())
    }

    #[test]
    fn cells_follow_the_time_and_are_forgotten() {
        let mut series = Series::new(4, 10);
        for second in [0, 9, 10, 35] {
            series.add(second, &addition(1));
        }
        assert_eq!(ended(&mut series, 39), (3, vec![2, 1, 0, 1]));
        assert_eq!(ended(&mut series, 40), (4, vec![1, 0, 1, 0]));
        assert_eq!(series.sum(59).ended, 1);
        assert_eq!(ended(&mut series, 70), (7, vec![0; 4]));
        series.add(10_000_000, &addition(1));
        assert_eq!(
            ended(&mut series, 10_000_000),
            (1_000_000, vec![0, 0, 0, 1])
        );
    }

    #[test]
    fn quantiles_are_the_bounds_within_which_they_lie() {
        let mut cell = Cell::default();
        assert_eq!(cell.first_events.quantile(0.5), None);
        for milliseconds in [1, 90, 95, 99, 900_000] {
            cell.add(&addition(milliseconds));
        }
        let quantiles = [0.0, 0.5, 0.8, 0.95].map(|share| cell.first_events.quantile(share));
        assert_eq!(quantiles, [Some(10), Some(100), Some(100), Some(120_000)]);
    }
}
