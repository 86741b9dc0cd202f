//! Processor time, which other people's work on the machine does not lengthen as it does wall-clock time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What this thread has used since it began.
pub(crate) fn of_this_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// What all threads of this process have used since it began.
pub(crate) fn of_this_process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // The clock counts up from zero.
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}
