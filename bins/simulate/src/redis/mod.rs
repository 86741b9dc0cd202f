//! A Redis in memory, in virtual time: the commands that the gateway sends, and its scripts as they are, run by the
//! interpreter that Redis has.

mod keys;
mod script;
mod words;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use redis::{Arg, Cmd, Value};

use self::keys::Keys;
use self::script::Scripts;

/// One server.
pub struct Redis {
    keys: Arc<Mutex<Keys>>,
    scripts: Mutex<Scripts>,
}

impl Redis {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// The interpreter cannot be made.
    pub fn new() -> Self {
        let keys = Arc::new(Mutex::new(Keys::default()));
        Self {
            scripts: Mutex::new(Scripts::new(&keys)),
            keys,
        }
    }

    /// Carries a command out at a moment, in microseconds since the epoch.
    ///
    /// # Panics
    ///
    /// It is none that the gateway is known to send, or a script fails. Either is a mistake to be mended.
    pub fn answer(&self, command: &Cmd, now: u64) -> Value {
        let words = command.args_iter().map(|arg| match arg {
            Arg::Simple(word) => word,
            _ => panic!("a cursor"),
        });
        let words: Vec<&[u8]> = words.collect();
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).now = now;
        let answer = match words[0] {
            b"EVAL" => {
                let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
                scripts.run(words[1], words[2], &words[3..])
            }
            _ => {
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                let words: Vec<_> = words.iter().map(|word| word.to_vec()).collect();
                words::carry_out(&mut keys, &words)
            }
        };
        answer.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
