/** The path of the folder `views/`. */
import { dirname } from 'node:path';
import { installedFile } from '../installed_file.js';

export const VIEWS = dirname(installedFile('views', 'layout.html'));
