#!/usr/bin/env node
'use strict';
require('./launch.cjs')('flotilla-fwup', 'fwup', 'npx -p flotilla flotilla-fwup');
