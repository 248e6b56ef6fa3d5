//! Codes by mail, through a real mail server: who gets one, what is good afterwards, and what becomes of it when the
//! server does not do as it should.

mod addresses;
mod crowds;
mod doubts;
mod faults;
mod languages;
mod sending;
