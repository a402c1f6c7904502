//! Whether a wait begins with a look that does not sleep.

/// A time-out makes a wait a tenth dearer even where something is ready already: the kernel looks at its clock twice to
/// know the end of it. So as long as looks without one find something, the loop begins with one. A look that finds
/// nothing was a system call for nothing; after each such the next waits do without, twice as many each time.
pub(super) struct Looks {
    /// How many waits are to do without.
    skip: u32,
    after_next_miss: u32,
}

const MOST_SKIPPED: u32 = 64;

impl Looks {
    pub(super) fn new() -> Self {
        // The first wait of a loop that has nothing to do yet mostly finds nothing.
        Looks { skip: 1, after_next_miss: 1 }
    }

    /// Before a wait.
    pub(super) fn begins_with_look(&mut self) -> bool {
        if self.skip == 0 {
            return true;
        }
        self.skip -= 1;
        false
    }

    /// After a look.
    pub(super) fn found(&mut self, something: bool) {
        if something {
            self.after_next_miss = 1;
        } else {
            self.skip = self.after_next_miss;
            self.after_next_miss = (self.after_next_miss * 2).min(MOST_SKIPPED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of that many waits begin with a look that finds nothing, as all of them sleep.
    fn misses(looks: &mut Looks, waits: u32) -> usize {
        let begins = (0..waits).filter(|_| looks.begins_with_look().then(|| looks.found(false)).is_some());
        begins.count()
    }

    #[test]
    fn a_loop_that_sleeps_in_each_wait_hardly_looks() {
        let mut looks = Looks::new();
        assert_eq!(misses(&mut looks, 128), 7, "with twice as many waits between them each time");
        assert_eq!(misses(&mut looks, 65 * 10), 10, "but never more than 64");
    }

    #[test]
    fn a_loop_that_is_busy_looks_in_each_wait() {
        let mut looks = Looks::new();
        misses(&mut looks, 1000);
        let mut waits = 0;
        while !looks.begins_with_look() {
            waits += 1;
        }
        assert!(waits <= MOST_SKIPPED);
        looks.found(true);
        for _ in 0..1000 {
            assert!(looks.begins_with_look());
            looks.found(true);
        }
    }
}
