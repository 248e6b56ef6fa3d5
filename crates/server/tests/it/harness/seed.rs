//! Numbers that look random and are the same for the same seed, which a failing test names.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// The only one that is to be tried, for whoever wants to see again what a test has told of one.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
pub(crate) fn asked_for() -> Option<u64> {
    std::env::var("EINMAL_TEST_SEED").ok().map(|seed| seed.parse().expect("EINMAL_TEST_SEED is a number"))
}
