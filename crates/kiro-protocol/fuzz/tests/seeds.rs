//! The committed seeds, through their targets, without libFuzzer.

use std::path::Path;

use kiro_protocol_fuzz::TARGETS;

#[test]
fn every_seed_passes_its_target() {
    for (name, run) in TARGETS {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut n_seeds = 0;
        for seed in std::fs::read_dir(seeds).expect("a folder of seeds") {
            let path = seed.expect("an entry").path();
            // Shown by the test only when the target panics.
            println!("{}", path.display());
            run(&std::fs::read(path).expect("a seed"));
            n_seeds += 1;
        }
        assert!(n_seeds > 0, "no seeds for {name}");
    }
}

#[test]
fn no_input_is_too_short() {
    for (_, run) in TARGETS {
        for length in 0..64 {
            run(&[0x00; 64][..length]);
            run(&[0x0a; 64][..length]);
            run(&[0xff; 64][..length]);
        }
    }
}
