//! Nothing that was answered is lost when the power goes, when the disk fails or lies, or when the process dies.

mod cuts;
mod disk;
mod faults;
mod order;
