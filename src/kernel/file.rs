//! Files that are replaced as a whole, and the folder for those that can be made again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// `path` with `suffix` behind its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Readers see the old file or the new one, whatever happens in between.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // A browser has neither processes nor files, and panics when asked for the former.
    let process = match cfg!(target_arch = "wasm32") {
        true => 0,
        false => std::process::id(),
    };
    let temporary = beside(path, &format!(".{process}-{count}.tmp"));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(contents)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// [`replace`], with the new file on the disk under its name when this returns: the folder is
/// synced as well, where the system lets us.
#[cfg(feature = "checkpoint")]
pub(crate) fn replace_durably(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace(path, contents)?;
    if cfg!(unix) {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// As the platforms document it; a crate for this line would bring one to three more.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    if cfg!(windows) {
        variable("LOCALAPPDATA").filter(|path| path.is_absolute())
    } else if cfg!(target_vendor = "apple") {
        home().map(|home| home.join("Library").join("Caches"))
    } else {
        // The specification wants relative paths to be ignored.
        variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(".cache")))
    }
}
