//! The way between replicas and the store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::dice::Dice;

/// What is lost of a way that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Questions do not arrive.
    There,
    /// They arrive and take effect; answers are lost.
    Back,
}

/// Which ways are cut or slow, and until when.
#[derive(Debug)]
pub(crate) struct Network {
    dice: Dice,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    cuts: Vec<Option<(Cut, Instant)>>,
    /// Whether a broken way is seen at once, or swallows what is sent.
    resets: bool,
    slow: Option<(Duration, Instant)>,
    /// Of single messages that are lost.
    loss: f64,
}

/// How one message and its answer fare.
#[derive(Debug)]
pub(crate) struct Trip {
    pub(crate) there: Duration,
    pub(crate) back: Duration,
    pub(crate) lost: Option<Cut>,
    /// A loss is seen at once.
    pub(crate) resets: bool,
}

impl Network {
    pub(crate) fn new(dice: &Dice, replicas: usize) -> Self {
        let state = State {
            cuts: vec![None; replicas],
            resets: dice.happens(0.5),
            slow: None,
            loss: dice.one_of(&[0.0, 0.0, 0.001]),
        };
        Self {
            dice: dice.clone(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn cut(&self, replica: usize, cut: Cut, length: Duration) {
        let until = Instant::now() + length;
        let mut state = self.state();
        let longer = state.cuts[replica].is_none_or(|(_, before)| before < until);
        if longer {
            state.cuts[replica] = Some((cut, until));
        }
    }

    pub(crate) fn slow_down(&self, latency: Duration, length: Duration) {
        self.state().slow = Some((latency, Instant::now() + length));
    }

    /// From here on nothing is lost.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        state.cuts.iter_mut().for_each(|cut| *cut = None);
        state.slow = None;
        state.loss = 0.0;
    }

    pub(crate) fn trip(&self, replica: usize) -> Trip {
        let now = Instant::now();
        let state = self.state();
        let cut = state.cuts[replica].filter(|(_, until)| now < *until);
        let slow = state.slow.filter(|(_, until)| now < *until);
        let latency = || {
            let usual = self.dice.millis(0, 2);
            slow.map_or(usual, |(most, _)| {
                usual + self.dice.millis(0, most.as_millis() as u64)
            })
        };
        let lost = match cut {
            Some((cut, _)) => Some(cut),
            None if self.dice.happens(state.loss) => {
                Some(self.dice.one_of(&[Cut::There, Cut::Back]))
            }
            None => None,
        };
        Trip {
            there: latency(),
            back: latency(),
            lost,
            resets: state.resets,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
