//! What the time of an answer tells: many samples in a random order, and a test whether classes of them can be told apart.
//! In its short form each test shows that its machinery works and that bytes are the same; `scripts/test --long` measures.

mod codes;
mod refusals;
mod told_apart;

/// Numbers that look random, and are the same for the same seed.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    /// `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// Each of `classes` so many times, in a random order.
    fn interleaved(&mut self, classes: usize, samples: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..classes * samples).map(|number| number % classes).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, self.below(place + 1));
        }
        order
    }
}
