<#
.SYNOPSIS
Starts Vast LoRA Platform on Windows.

.DESCRIPTION
Jobs need Linux. Where WSL or Docker is present the whole program runs there, jobs included.
Otherwise it runs natively and serves everything but running jobs, and says so.
HOST, PORT, AUTH_TOKEN, HF_TOKEN and the other settings are taken from the environment.
Not yet verified on a real Windows machine.

.PARAMETER SetupOnly
Prepare everything and end.

.PARAMETER Native
Do not use WSL or Docker even if they are there.
#>
param(
    [switch]$SetupOnly,
    [switch]$Native,
    [Parameter(ValueFromRemainingArguments = $true)][string[]]$Rest = @()
)
# A native program that writes to stderr is no error; exit codes are looked at instead.
$ErrorActionPreference = 'Continue'
$Root = Split-Path -Parent (Split-Path -Parent $MyInvocation.MyCommand.Path)
$Port = if ($env:PORT) { $env:PORT } else { '7860' }
# What WSL is given; /p turns a Windows path into one of its own.
$Passed = @('HOST', 'PORT', 'AUTH_TOKEN', 'HF_TOKEN', 'GPUS', 'ENGINES_DIR/p')

function Stop-Start([string]$Sentence) {
    Write-Host $Sentence
    exit 1
}

function Test-Program([string]$Name) {
    return [bool](Get-Command $Name -ErrorAction SilentlyContinue)
}

# WSL itself is on every Windows; it counts when a distribution in it runs a fitting Python.
function Test-Wsl {
    if (-not (Test-Program 'wsl.exe')) { return $false }
    & wsl.exe -e python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>$null | Out-Null
    return $LASTEXITCODE -eq 0
}

function Test-Docker {
    if (-not (Test-Program 'docker')) { return $false }
    & docker info 2>$null | Out-Null
    return $LASTEXITCODE -eq 0
}

# The environment and the data lie in Linux's own file system: across to Windows' one, SQLite is
# slow and its locks are not safe. Settings travel by WSLENV, so that no secret is in a command line.
function Start-InWsl {
    Write-Host 'WSL was found: the program and its jobs run there.'
    $inside = & wsl.exe -e wslpath -a $Root.Replace('\', '/')
    $linuxHome = & wsl.exe -e printenv HOME
    $names = $Passed + 'DATA_DIR/p'
    if (-not $env:DATA_DIR) {
        $env:DATA_DIR = "$linuxHome/.vast-lora/data"
        $names = $Passed + 'DATA_DIR'
    }
    $env:WSLENV = (@($env:WSLENV) + $names | Where-Object { $_ }) -join ':'
    $words = @($Rest)
    if ($SetupOnly) { $words = @('--setup-only') }
    & wsl.exe -e env "VENV=$linuxHome/.vast-lora/venv" bash "$inside/scripts/start.sh" @words
}

function Start-InDocker {
    Write-Host 'Docker was found: the program and its jobs run there. The first build fetches many gigabytes.'
    & docker build -t vast-lora-platform $Root
    if ($LASTEXITCODE -ne 0 -or $SetupOnly) { return }
    $words = @('--rm', '-it', '-p', "127.0.0.1:${Port}:7860", '-v', 'vast-lora-data:/workspace/lora')
    if (Test-Program 'nvidia-smi') { $words += @('--gpus', 'all') }
    # By name only: docker takes the values from the environment.
    foreach ($name in 'AUTH_TOKEN', 'HF_TOKEN', 'GPUS') {
        if (Test-Path "env:$name") { $words += @('-e', $name) }
    }
    & docker run @words vast-lora-platform
}

function Find-Python {
    $candidates = @(('py', '-3.13'), ('py', '-3.12'), ('py', '-3.11'), @('python'))
    foreach ($candidate in $candidates) {
        if (-not (Test-Program $candidate[0])) { continue }
        $options = @($candidate | Select-Object -Skip 1)
        & $candidate[0] @options -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>$null
        if ($LASTEXITCODE -eq 0) { return $candidate }
    }
    Stop-Start 'No Python 3.11, 3.12 or 3.13 was found. Install one from the Microsoft Store or python.org.'
}

function Install-Native([string]$Venv) {
    $venvPython = Join-Path $Venv 'Scripts\python.exe'
    $stamp = Join-Path $Venv '.made-from-run'
    $lock = Join-Path $Root 'requirements.lock'
    $made = (Get-FileHash $lock).Hash + (Get-FileHash (Join-Path $Root 'pyproject.toml')).Hash + $Root
    if ((Test-Path $stamp) -and (Get-Content $stamp -Raw).Trim() -eq $made) { return }
    if (-not (Test-Path $venvPython)) {
        $python = @(Find-Python)
        $options = @($python | Select-Object -Skip 1)
        & $python[0] @options -m venv $Venv
        if ($LASTEXITCODE -ne 0) { Stop-Start "The Python environment could not be made in $Venv." }
    }
    & $venvPython -m pip install --quiet --disable-pip-version-check --require-hashes -r $lock
    if ($LASTEXITCODE -ne 0) { Stop-Start 'The packages could not be installed. The first start needs a network; run it again to go on.' }
    & $venvPython -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e $Root
    if ($LASTEXITCODE -ne 0) { Stop-Start "The project itself could not be installed into $Venv." }
    Set-Content $stamp $made
}

if (-not $Native -and (Test-Wsl)) {
    Start-InWsl
    exit $LASTEXITCODE
}
if (-not $Native -and (Test-Docker)) {
    Start-InDocker
    exit $LASTEXITCODE
}
Write-Host 'Running natively: pages are served, but jobs cannot run on Windows itself. Install WSL (wsl --install) or Docker for that.'
$venv = if ($env:VENV) { $env:VENV } else { Join-Path $Root '.venv' }
Install-Native $venv
$program = Join-Path $venv 'Scripts\vast-lora.exe'
if ($SetupOnly) {
    & $program migrate
} else {
    & $program serve --no-jobs @Rest
}
exit $LASTEXITCODE
