mod harness;
mod tokens;
