#!/usr/bin/env node
'use strict';
require('./launch.cjs')('flotilla', 'flotilla', 'npx flotilla');
