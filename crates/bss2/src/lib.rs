//! Stub while its parts are under construction.
pub mod config;
pub mod download;
pub mod files;
pub mod metrics;
pub mod plot;
pub mod run_folder;
