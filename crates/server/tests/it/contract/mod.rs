//! What every store must do, whatever its engine: each case runs on each engine. A case must never know
//! which one it has.

mod accounts;
mod attempts;
mod durability;
mod fences;
mod loads;
mod postgres;
mod properties;
mod races;
mod scans;
mod sqlite;
mod swaps;

use einmal::store::{Fence, Store, StoreError};
use std::sync::Arc;

/// An engine's place for one test's data. Opening it again, with or without the first still open, finds the same data.
pub(crate) trait Place: Send + Sync {
    fn open(&self) -> Arc<dyn Store>;

    /// For whoever has closed it with this fence.
    fn open_behind_fence(&self, fence: &Fence) -> Arc<dyn Store>;
}

fn is_unavailable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

fn is_damaged<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Damaged(_)))
}

/// Makes a test of each case: `suite!(Some(SqlitePlace::new()))`. Where there is no place, its engine is not there.
macro_rules! suite {
    ($place:expr) => {
        $crate::contract::suite!(@ $place, swaps:
            an_account_comes_into_being_and_is_read_as_written,
            a_second_account_of_that_name_conflicts_and_changes_nothing,
            a_swap_replaces_the_version_it_expected,
            a_stale_version_conflicts_and_changes_nothing,
            a_swap_of_what_is_not_there_conflicts,
            a_swap_of_the_guard_leaves_the_vault,
            guard_and_vault_are_written_together_or_not_at_all,
            a_new_account_without_a_vault_is_refused_and_leaves_nothing,
            of_two_swaps_of_one_account_in_one_call_the_first_wins,
            a_chain_of_swaps_in_one_call_is_carried_out_in_order,
            a_conflict_does_not_disturb_the_others_in_its_call,
            a_delete_removes_guard_and_vault,
            a_stale_version_conflicts_after_delete_and_rebirth,
            a_thousand_swaps_are_one_call,
            an_empty_call_is_fine,
        );
        $crate::contract::suite!(@ $place, attempts:
            an_attempt_sees_what_is_stored_and_writes_what_it_decides_on,
            an_attempt_that_decides_on_nothing_writes_nothing,
            an_attempt_that_expects_something_else_conflicts_and_changes_nothing,
            one_that_panics_is_dropped_and_its_group_goes_on,
            of_64_attempts_at_once_on_one_account_no_two_swap_the_same_version,
            an_attempt_is_carried_out_though_its_caller_has_gone,
        );
        $crate::contract::suite!(@ $place, loads:
            what_is_not_there_is_none,
            order_gaps_and_duplicates_are_kept,
            subjects_compare_as_bytes,
            issuers_separate_equal_subjects,
            all_versions_and_keys_are_kept,
            large_parts_are_kept,
        );
        $crate::contract::suite!(@ $place, properties:
            a_property_is_swapped_only_from_the_value_it_has,
            of_16_who_claim_a_property_one_wins_and_all_learn_who,
        );
        $crate::contract::suite!(@ $place, scans:
            pages_are_in_the_order_of_bytes_and_complete,
            an_empty_store_has_an_empty_page,
            what_stays_is_found_once_while_others_write,
            ids_are_those_of_the_accounts_in_the_same_order,
            a_check_of_a_sound_store_counts_its_accounts_and_finds_nothing,
        );
        $crate::contract::suite!(@ $place, races:
            of_16_swaps_of_one_version_one_wins,
            of_64_swaps_of_one_version_one_wins,
            of_64_births_of_one_account_one_wins,
            over_two_connections_one_wins,
            a_delete_beside_a_swap_leaves_nothing,
            guard_and_vault_are_never_seen_apart,
            counting_by_swaps_loses_nothing,
        );
        $crate::contract::suite!(@ $place, fences:
            a_closed_store_is_read_and_takes_no_writes_until_it_is_opened_again,
            who_opened_it_behind_the_fence_writes_and_nobody_else,
            nobody_writes_behind_a_fence_that_has_gone_or_has_changed,
            a_fence_is_changed_only_from_what_it_is,
            of_8_who_close_a_store_at_once_one_does,
            after_the_closing_nothing_is_written_that_was_begun_before,
        );
        $crate::contract::suite!(@ $place, durability:
            all_is_there_after_opening_again,
            a_write_happens_though_its_caller_has_gone,
            a_probe_succeeds_and_changes_no_account,
            what_was_answered_is_seen_by_the_next_read,
        );
    };
    (@ $place:expr, $module:ident: $($case:ident,)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let Some(place) = $place else { return };
                    $crate::contract::$module::$case(&place).await;
                }
            )*
        }
    };
}
use suite;
