"""What the launcher and the tests share: topologies, QEMU's command line, KTAP, a guest's run."""
