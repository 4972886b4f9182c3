//! Downloads that can be interrupted and are never trusted.
//!
//! Bytes go to `NAME.part` beside the target; a second attempt goes on where
//! the first stopped. The part becomes the file only after its content was
//! verified.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// Longest time to wait for a connection, for a first answer and for what follows it.
const PATIENCE: Duration = Duration::from_secs(20);
/// No file of ours is larger; a server that sends more sends something else.
const LARGEST: u64 = 1 << 30;

/// Why a file could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// No mirror gave the file.
    #[error(
        "{name} could not be downloaded:\n{}\nwithout a network, put the file into the folder by hand",
        .attempts.join("\n")
    )]
    NoMirror {
        /// Name of the file.
        name: String,
        /// What happened at each mirror.
        attempts: Vec<String>,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a download tells its watcher.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Bytes so far, those of earlier attempts included.
    pub bytes: u64,
    /// Bytes of the whole file, where the server says so.
    pub total: Option<u64>,
}

/// Downloads one file from the first mirror whose content `verify` accepts.
///
/// # Errors
/// [`DownloadError::NoMirror`] with the reason at each mirror;
/// [`DownloadError::Io`]. The target exists only after success.
pub fn fetch(
    mirrors: &[String],
    target: &Path,
    verify: impl Fn(&[u8]) -> Result<(), String>,
    watch: impl FnMut(Progress),
) -> Result<(), DownloadError> {
    fetch_within(PATIENCE, mirrors, target, verify, watch)
}

fn fetch_within(
    patience: Duration,
    mirrors: &[String],
    target: &Path,
    verify: impl Fn(&[u8]) -> Result<(), String>,
    mut watch: impl FnMut(Progress),
) -> Result<(), DownloadError> {
    let fail = |path: &Path, source| DownloadError::Io {
        path: path.to_owned(),
        source,
    };
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut attempts = Vec::new();
    for url in mirrors {
        match transfer(patience, url, &part, &mut watch) {
            Ok(()) => {}
            Err(Attempt::Remote(reason)) => {
                attempts.push(format!("  {url}: {reason}"));
                continue;
            }
            Err(Attempt::Local(error)) => return Err(fail(&part, error)),
        }
        let content = fs::read(&part).map_err(|error| fail(&part, error))?;
        if let Err(reason) = verify(&content) {
            attempts.push(format!("  {url}: {reason}"));
            fs::remove_file(&part).map_err(|error| fail(&part, error))?;
            continue;
        }
        return fs::rename(&part, target).map_err(|error| fail(target, error));
    }
    Err(DownloadError::NoMirror {
        name: target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        attempts,
    })
}

enum Attempt {
    Remote(String),
    Local(io::Error),
}

fn transfer(
    patience: Duration,
    url: &str,
    part: &Path,
    watch: &mut impl FnMut(Progress),
) -> Result<(), Attempt> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .into();
    let have = fs::metadata(part).map_or(0, |data| data.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        // The part is as long as the file or longer: start anew.
        Err(ureq::Error::StatusCode(416)) if have > 0 => {
            fs::remove_file(part).map_err(Attempt::Local)?;
            return transfer(patience, url, part, watch);
        }
        Err(error) => return Err(Attempt::Remote(error.to_string())),
    };
    // A server that knows no ranges sends the whole file.
    let resumed = response.status() == 206;
    let mut bytes = if resumed { have } else { 0 };
    let total = response.body().content_length().map(|rest| bytes + rest);
    // Not before there is something to put into it.
    let folder = part.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Attempt::Local)?;
    let mut file = if resumed {
        OpenOptions::new().append(true).open(part)
    } else {
        File::create(part)
    }
    .map_err(Attempt::Local)?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = body
            .read(&mut buffer)
            .map_err(|error| Attempt::Remote(error.to_string()))?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        if bytes > LARGEST {
            return Err(Attempt::Remote(format!(
                "more than {LARGEST} bytes were sent"
            )));
        }
        file.write_all(&buffer[..count]).map_err(Attempt::Local)?;
        watch(Progress { bytes, total });
    }
    file.sync_all().map_err(Attempt::Local)?;
    match total {
        Some(total) if total != bytes => Err(Attempt::Remote(format!(
            "the connection ended after {bytes} of {total} bytes"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const CONTENT: &[u8] = b"0123456789";

    /// A server of `CONTENT` that honours ranges and answers so many requests.
    fn serve(requests: usize, content: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().take(requests) {
                let mut stream = stream.unwrap();
                let mut from = None;
                for line in BufReader::new(&stream).lines() {
                    let line = line.unwrap().to_lowercase();
                    if line.is_empty() {
                        break;
                    }
                    if let Some(range) = line.strip_prefix("range: bytes=") {
                        from = range.trim_end_matches('-').parse::<usize>().ok();
                    }
                }
                let status = if from.is_some() {
                    "206 Partial"
                } else {
                    "200 OK"
                };
                let body = &content[from.unwrap_or(0)..];
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body).unwrap();
            }
        });
        format!("http://{address}/file")
    }

    fn right(content: &[u8]) -> Result<(), String> {
        (content == CONTENT)
            .then_some(())
            .ok_or_else(|| "wrong content".into())
    }

    #[test]
    fn a_part_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("deep/file");
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(folder.path().join("deep/file.part"), &CONTENT[..4]).unwrap();
        let mut last = None;
        fetch(&[serve(1, CONTENT)], &target, right, |p| last = Some(p)).unwrap();
        assert_eq!(fs::read(&target).unwrap(), CONTENT);
        let last = last.unwrap();
        assert_eq!((last.bytes, last.total), (10, Some(10)));
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_mirror_that_stalls_is_left_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stalled = format!("http://{}/file", listener.local_addr().unwrap());
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                CONTENT.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&CONTENT[..4]).unwrap();
            // The rest never comes.
            let _ = wait.recv();
        });
        let mirrors = [stalled, serve(1, CONTENT)];
        fetch_within(Duration::from_secs(2), &mirrors, &target, right, |_| ()).unwrap();
        assert_eq!(fs::read(&target).unwrap(), CONTENT);
        drop(done);
        server.join().unwrap();
    }

    #[test]
    fn wrong_content_moves_on_to_the_next_mirror_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let page = serve(1, b"<html>not the file</html>");
        fetch(&[page.clone(), serve(1, CONTENT)], &target, right, |_| ()).unwrap();
        fs::remove_file(&target).unwrap();
        let page = serve(1, b"<html>not the file</html>");
        let error = fetch(&[page], &target, right, |_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("wrong content"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_network_is_said() {
        let folder = tempfile::tempdir().unwrap();
        // Bound and dropped, so that nobody listens there.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let url = format!("http://127.0.0.1:{port}/file");
        let error = fetch(
            std::slice::from_ref(&url),
            &folder.path().join("file"),
            right,
            |_| (),
        )
        .unwrap_err()
        .to_string();
        assert!(error.contains(&url) && error.contains("by hand"), "{error}");
    }
}
