//! TOTP secrets that mobile apps and cars hold (`device-totp`): enrolled, named, deleted.

use super::{Account, Credential, HistoryKind, Progress};
use crate::Timestamp;
use crate::otp::Totp;
use crate::policy::Policy;
use uuid::Uuid;

/// How long after its registration an account that has nothing yet may enrol without a proof.
const FRESH_SECONDS: u64 = 300;
/// By how much the clock that the registration was timed by may be ahead.
const AHEAD_SECONDS: u64 = 30;

impl Account {
    /// Whether a device with this id may be enrolled: one that is there already is replaced.
    pub fn has_room_for_device(&self, id: Uuid, policy: &Policy) -> bool {
        self.devices.iter().any(|device| device.id == id) || self.devices.len() < policy.max_devices
    }

    /// Puts a new secret under `id`, in the place of an earlier one there, whose name stays. No wait is lifted: whoever
    /// guesses must not be let on by enrolling. The caller has made sure of the room.
    pub fn enrol_device(&mut self, id: Uuid, totp: Totp, now: Timestamp) {
        let place = self.devices.iter().position(|device| device.id == id);
        let earlier = place.map(|place| self.devices.remove(place));
        let kind = if earlier.is_some() { HistoryKind::DeviceReplaced } else { HistoryKind::DeviceEnrolled };
        let label = earlier.and_then(|device| device.label.clone());
        self.forget_enrolment_of(id);
        let device = Credential { id, label, created_at: now, totp, progress: Progress::default() };
        self.devices.insert(place.unwrap_or(self.devices.len()), device);
        self.unite_progress();
        self.history.add(kind, Some(id), now);
    }

    /// `None` if there is no such device.
    pub fn label_device(&mut self, id: Uuid, label: Option<String>) -> Option<&Credential> {
        let device = self.devices.iter_mut().find(|device| device.id == id)?;
        device.label = label;
        Some(device)
    }

    /// `false` if there was none.
    pub fn delete_device(&mut self, id: Uuid, now: Timestamp) -> bool {
        self.forget_enrolment_of(id);
        let before = self.devices.len();
        self.devices.retain(|device| device.id != id);
        let is_gone = self.devices.len() < before;
        if is_gone {
            self.history.add(HistoryKind::DeviceDeleted, Some(id), now);
        }
        is_gone
    }

    /// Whether somebody who has just registered may enrol the first secret with nothing to prove it by. `registered_at` by
    /// the word of somebody who knows; that an account was never seen before says nothing.
    pub fn is_fresh(&self, registered_at: Option<Timestamp>, now: Timestamp) -> bool {
        let has_nothing =
            self.pin.is_none() && self.password.is_none() && self.credentials().next().is_none();
        has_nothing
            && registered_at.or(self.registered_at).is_some_and(|at| {
                at <= now.plus_seconds(AHEAD_SECONDS) && now <= at.plus_seconds(FRESH_SECONDS)
            })
    }
}
