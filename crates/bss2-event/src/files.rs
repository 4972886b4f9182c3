//! Files that are either written in whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// How the names of temporary files begin: a process that is killed leaves them, and
/// whoever owns the folder may remove them.
pub const TEMPORARY_PREFIX: &str = ".bss2-tmp-";

/// Writes a file, see [`replace`].
///
/// # Errors
/// What the system says; the file then is as before.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(
        path,
        |temporary| fs::write(temporary, content),
        |error| error,
    )
}

/// Puts a file in the place of another: `fill` is given the path of an empty
/// temporary one in the same folder. After a crash at any moment the old content or the
/// new one is there, never a part. Its permissions are those of any new file.
///
/// # Errors
/// Those of `fill`, and what `io` makes of what the system says; the file then is as
/// before.
pub fn replace<E>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
    io: impl Fn(io::Error) -> E,
) -> Result<(), E> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    // A temporary file is private by default; the system takes away what the
    // user's mask forbids.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(&io)?;
    fill(temporary.path())?;
    temporary.as_file().sync_all().map_err(&io)?;
    temporary.persist(path).map_err(|error| io(error.error))?;
    sync_folder(folder);
    Ok(())
}

/// Makes a rename durable. Some file systems refuse to sync folders; the file
/// itself is complete then as well, so that is no error.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        let half = |temporary: &Path| {
            let name = temporary.file_name().unwrap().to_string_lossy();
            assert!(name.starts_with(TEMPORARY_PREFIX));
            fs::write(temporary, b"thr")?;
            Err(io::Error::other("no more"))
        };
        assert!(replace(&path, half, |error| error).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_atomically(&folder.path().join("no/such"), b"x").is_err());
    }
}
