//! One request, from the door to its end.

use std::sync::Arc;

use kiro_gateway::Door;
use tokio::time::{Instant, sleep};

use super::World;
use crate::process::Process;

/// Under way until it is dropped.
struct UnderWay {
    world: Arc<World>,
    begun: Instant,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.world.left(self.begun);
    }
}

pub(super) async fn exchange(world: Arc<World>, process: Process, door: Arc<Door>) {
    let entered = door.enter().await;
    let Ok(_entered) = entered else {
        world.record.count(|figures| figures.refused += 1);
        return;
    };
    let _under_way = UnderWay {
        world: world.clone(),
        begun: Instant::now(),
    };
    world.let_in(door.is_away());
    if world.plan.tokens.is_some() {
        let tokens = 1 + world.dice.below(1_500) as u64;
        if door.prompt(tokens).await.is_err() {
            return;
        }
        world.took(tokens);
    }
    let most = world.plan.longest_exchange.as_millis() as u64;
    sleep(world.dice.millis(100, most)).await;
    process.go_on().await;
}
