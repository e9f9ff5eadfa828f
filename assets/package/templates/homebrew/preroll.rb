class Preroll < Formula
  desc "Saves the seconds before something happened in front of an IP camera"
  homepage "https://github.com/preroll/preroll"
  version "@VERSION@"
  license "MIT"

  depends_on "ffmpeg"

  on_macos do
    on_arm do
      url "https://github.com/preroll/preroll/releases/download/v@VERSION@/preroll-headless-@VERSION@-darwin-arm64.tar.xz"
      sha256 "@SHA256_DARWIN_ARM64@"
    end
    on_intel do
      url "https://github.com/preroll/preroll/releases/download/v@VERSION@/preroll-headless-@VERSION@-darwin-amd64.tar.xz"
      sha256 "@SHA256_DARWIN_AMD64@"
    end
  end
  on_linux do
    url "https://github.com/preroll/preroll/releases/download/v@VERSION@/preroll-headless-@VERSION@-linux-amd64.tar.xz"
    sha256 "@SHA256_LINUX_AMD64@"
  end

  def install
    bin.install "preroll"
    man1.install "preroll.1"
    bash_completion.install "completions/preroll.bash" => "preroll"
    zsh_completion.install "completions/_preroll"
    fish_completion.install "completions/preroll.fish"
  end

  service do
    run [opt_bin/"preroll", "record", "--take-over"]
    keep_alive true
    log_path var/"log/preroll.log"
    error_log_path var/"log/preroll.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/preroll --version")
  end
end
