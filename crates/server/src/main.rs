//! The program: everything is in the library, so that tests reach it. The allocator is chosen here, by measurement
//! (docs/PERFORMANCE.md).

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    einmal::cli::run()
}
