//! The kinds of one-time passwords, by the names they have on the wire.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OtpType {
    /// A code that was mailed to the account's address, or told by support.
    Login,
    /// A code created on demand against PIN or password.
    Account,
    /// The user's own authenticator app.
    Totp,
    /// A secret held by a mobile app or a car.
    DeviceTotp,
}

impl OtpType {
    pub const ALL: [Self; 4] = [Self::Login, Self::Account, Self::Totp, Self::DeviceTotp];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Account => "account",
            Self::Totp => "totp",
            Self::DeviceTotp => "device-totp",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A set of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtpTypes(u8);

impl OtpTypes {
    pub const NONE: Self = Self(0);
    /// What a request means that names no types.
    pub const DEFAULT: Self = Self::NONE.with(OtpType::DeviceTotp).with(OtpType::Account);
    pub const ALL: Self = Self::DEFAULT.with(OtpType::Login).with(OtpType::Totp);

    #[must_use]
    pub const fn with(self, kind: OtpType) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    pub const fn contains(self, kind: OtpType) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = OtpType> + Clone {
        OtpType::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<OtpType> for OtpTypes {
    fn from_iter<I: IntoIterator<Item = OtpType>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}
