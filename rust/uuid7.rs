//! UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then a 12-bit counter that keeps the
//! identifiers of one process in order (section 6.2, method 1), then 62 random bits. Plain Rust: knows no Python.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds and counter of the newest identifier, as one number: `milliseconds << 12 | counter`.
static NEWEST: AtomicU64 = AtomicU64::new(0);
/// Grows when the process forks, so that a child does not use up its parent's random numbers.
static GENERATION: AtomicU64 = AtomicU64::new(0);

const POOL: usize = 512;

struct Pool {
    words: [u64; POOL],
    used: usize,
    generation: u64,
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { words: [0; POOL], used: POOL, generation: 0 }) };
}

/// To be called in a child process after a fork.
pub fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

fn random() -> Result<u64, getrandom::Error> {
    RANDOM.with_borrow_mut(|pool| {
        let generation = GENERATION.load(Ordering::Relaxed);
        if pool.used == POOL || pool.generation != generation {
            let mut bytes = [0; POOL * 8];
            getrandom::fill(&mut bytes)?;
            for (word, chunk) in pool.words.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = u64::from_ne_bytes(chunk.try_into().unwrap_or([0; 8]));
            }
            pool.used = 0;
            pool.generation = generation;
        }
        pool.used += 1;
        Ok(pool.words[pool.used - 1])
    })
}

/// A new identifier, greater than every earlier one of this process.
///
/// # Errors
/// Where the operating system gives no random numbers.
pub fn next() -> Result<u128, getrandom::Error> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = (elapsed.as_millis() as u64) << 12;
    // 4,096 identifiers in one millisecond borrow from the next one.
    let step = |newest: u64| Some(now.max(newest + 1));
    let previous = NEWEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
    let stamp = now.max(previous.unwrap_or(0) + 1) as u128;
    let (milliseconds, counter) = (stamp >> 12, stamp & 0xfff);
    let tail = random()? as u128 & 0x3fff_ffff_ffff_ffff;
    Ok(milliseconds << 80 | 7 << 76 | counter << 64 | 0b10 << 62 | tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn identifiers_carry_version_variant_and_time() {
        let bits = next().expect("random numbers");
        assert_eq!(bits >> 76 & 0xf, 7);
        assert_eq!(bits >> 62 & 0b11, 0b10);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        assert!(now.abs_diff(bits >> 80) < 10_000);
    }

    #[test]
    fn identifiers_of_a_thread_grow_and_those_of_all_threads_differ() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..20_000).map(|_| next().expect("random numbers")).collect::<Vec<_>>()))
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            let made = thread.join().expect("no panic");
            assert!(made.is_sorted());
            seen.extend(made);
        }
        assert_eq!(seen.len(), 80_000);
    }
}
