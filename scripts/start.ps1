<#
.SYNOPSIS
Starts Vast LoRA Platform on Windows.

.DESCRIPTION
Jobs need Linux. Where WSL or Docker is present the whole program runs there, jobs included.
Otherwise it runs natively and serves everything but running jobs, and says so.
Not yet verified on a real Windows machine.

.PARAMETER SetupOnly
Prepare everything and end.

.PARAMETER Native
Do not use WSL or Docker even if they are there.
#>
param(
    [switch]$SetupOnly,
    [switch]$Native
)
$ErrorActionPreference = 'Stop'
$Root = Split-Path -Parent (Split-Path -Parent $MyInvocation.MyCommand.Path)
$Port = if ($env:PORT) { $env:PORT } else { '7860' }

function Test-Program([string]$Name) {
    return [bool](Get-Command $Name -ErrorAction SilentlyContinue)
}

function Test-Wsl {
    if (-not (Test-Program 'wsl.exe')) { return $false }
    & wsl.exe -e true 2>$null
    return $LASTEXITCODE -eq 0
}

function Test-Docker {
    if (-not (Test-Program 'docker')) { return $false }
    & docker info 2>$null | Out-Null
    return $LASTEXITCODE -eq 0
}

function Find-Python {
    foreach ($version in '3.13', '3.12', '3.11') {
        if (Test-Program 'py') {
            & py "-$version" -c 'pass' 2>$null
            if ($LASTEXITCODE -eq 0) { return @('py', "-$version") }
        }
    }
    if (Test-Program 'python') { return @('python') }
    throw 'No Python 3.11, 3.12 or 3.13 was found. Install one from the Microsoft Store or python.org.'
}

if (-not $Native -and (Test-Wsl)) {
    Write-Host 'WSL was found: the program and its jobs run there.'
    $inside = & wsl.exe wslpath -a $Root.Replace('\', '/')
    $extra = if ($SetupOnly) { '--setup-only' } else { '' }
    & wsl.exe -e bash -lc "cd '$inside' && VENV=`$HOME/.vast-lora-venv ./scripts/start.sh $extra"
    exit $LASTEXITCODE
}

if (-not $Native -and (Test-Docker)) {
    Write-Host 'Docker was found: the program and its jobs run there.'
    & docker build -t vast-lora-platform $Root
    if ($LASTEXITCODE -ne 0 -or $SetupOnly) { exit $LASTEXITCODE }
    & docker run --rm -it --gpus all -p "127.0.0.1:${Port}:7860" -v vast-lora-data:/workspace/lora vast-lora-platform
    exit $LASTEXITCODE
}

Write-Host 'Neither WSL nor Docker was found: pages are served, but jobs cannot run natively on Windows.'
$python = Find-Python
$venv = if ($env:VENV) { $env:VENV } else { Join-Path $Root '.venv' }
$venvPython = Join-Path $venv 'Scripts\python.exe'
if (-not (Test-Path $venvPython)) {
    & $python[0] @($python | Select-Object -Skip 1) -m venv $venv
}
& $venvPython -m pip install --quiet --require-hashes -r (Join-Path $Root 'requirements.lock')
if ($LASTEXITCODE -ne 0) { throw 'The packages could not be installed. The first start needs a network.' }
& $venvPython -m pip install --quiet --no-deps --no-build-isolation --no-index -e $Root
$program = Join-Path $venv 'Scripts\vast-lora.exe'
if ($SetupOnly) {
    & $program migrate
    exit $LASTEXITCODE
}
& $program serve --no-jobs
exit $LASTEXITCODE
